import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { ChaosDocument } from '../../deploy/chaos/index.ts';
import type { Cleanup } from '../end-to-end/cleanup.ts';
import { EMULATED } from '../end-to-end/cluster.ts';
import { classifier, query, writeDocuments } from '../end-to-end/models.ts';

/** A scenario on four hosts and everything else twice; `watch` has a budget that outlives the detection of a death, `keep` is durable. */
export async function writeScenario(
  cleanup: Cleanup,
  more: Partial<ChaosDocument>,
): Promise<{ file: string; folder: string }> {
  const folder = await cleanup.folder();
  await writeDocuments(folder, 'documents.yaml', [
    // One host does ten a second: two are needed at least.
    classifier('looker', {
      emulation: { alphaMs: 80, betaMs: 50, persistentMB: 50, ephemeralMBPerItem: 5, loadMs: 100 },
    }),
    query('watch', { look: { model: 'looker' } }, { objectiveMs: 12_000 }),
    query('keep', { look: { model: 'looker' } }, { objectiveMs: 12_000, rateHz: 5, delivery: 'durable' }),
  ]);
  const cluster = {
    kind: 'Cluster',
    name: 'chaos-test',
    nats: { start: true, port: 0 },
    actors: [
      { actor: 'query-router', name: 'router', count: 2 },
      { actor: 'prefix-batcher', name: 'batcher', count: 2 },
      { actor: 'gpu-host', name: 'gpu', count: 4, config: EMULATED },
      { actor: 'allocator', name: 'allocator', count: 2, config: { gatherMs: 500, leaseMs: 2000 } },
    ],
    apply: ['documents.yaml'],
  };
  await writeFile(join(folder, 'cluster.yaml'), stringify(cluster));
  const file = join(folder, 'scenario.yaml');
  const load = [{ stream: 'watch-1', query: 'watch', rateHz: 20 }];
  await writeFile(file, stringify({ cluster: 'cluster.yaml', load, settleS: 15, ...more }));
  return { file, folder };
}
