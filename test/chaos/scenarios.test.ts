import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { stringify } from 'yaml';
import type { ClusterDocument } from '../../contracts/index.ts';
import { checkAgainst, readChaos, type ChaosDocument } from '../../deploy/chaos/index.ts';
import { readDocuments } from '../../deploy/documents/index.ts';
import { Cleanup } from '../end-to-end/cleanup.ts';
import { EMULATED } from '../end-to-end/cluster.ts';
import { classifier, query, writeDocuments } from '../end-to-end/models.ts';
import { cli, ROOT } from '../end-to-end/processes.ts';

const LIMIT_MS = 180_000;
const EXAMPLES = join(ROOT, 'examples/chaos');
const cleanup = new Cleanup();
test.after.always('nothing is left over', async t => {
  t.timeout(LIMIT_MS);
  await cleanup.run();
});

for (const name of readdirSync(EXAMPLES).filter(file => !/^(cluster|queries)\.yaml$/.test(file))) {
  test(`chaos: the example ${name} is right`, async t => {
    const file = join(EXAMPLES, name);
    const { document, complain, done } = await readChaos(file);
    const { documents } = await readDocuments([join(EXAMPLES, document.cluster)]);
    const cluster = documents[0]!.document as ClusterDocument;
    checkAgainst(document, { document: cluster, baseDir: EXAMPLES, ownNats: true }, complain);
    t.notThrows(() => done());
  });
}

/** Four hosts and everything else twice; one query whose budget outlives the detection of a death. */
async function scenario(more: Partial<ChaosDocument>): Promise<{ file: string; folder: string }> {
  const folder = await cleanup.folder();
  await writeDocuments(folder, 'documents.yaml', [
    // One host does ten a second: two are needed at least.
    classifier('looker', {
      emulation: { alphaMs: 80, betaMs: 50, persistentMB: 50, ephemeralMBPerItem: 5, loadMs: 100 },
    }),
    query('watch', { look: { model: 'looker' } }, { objectiveMs: 12_000 }),
  ]);
  const cluster = {
    kind: 'Cluster',
    name: 'chaos-test',
    nats: { start: true, port: 0 },
    actors: [
      { actor: 'query-router', name: 'router' },
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

test('chaos: hosts, batchers and the leader are killed or stand still: nothing is lost', async t => {
  t.timeout(LIMIT_MS);
  const { file, folder } = await scenario({
    durationS: 24,
    faults: [
      { kind: 'kill', atS: 1, actor: 'gpu-1' },
      { kind: 'freeze', atS: 5, actor: 'gpu-2', forS: 4.5 },
      { kind: 'freeze', atS: 11, actor: 'batcher-1', forS: 4.5 },
      { kind: 'kill', atS: 16.5, actor: 'gpu-3' },
      { kind: 'kill', atS: 16.7, actor: 'allocator-1' },
      { kind: 'drain', atS: 20, actor: 'gpu-4' },
    ],
  });
  const { code, out, err } = await cli(cleanup, ['chaos', file, '--json', '--data', join(folder, 'data')]);
  t.is(code, 0, `${out}\n${err}`);
  const { requests, lost, doubled, outcomes, faults } = JSON.parse(out);
  t.true(requests > 200, `${requests} requests`);
  t.deepEqual({ lost, doubled, failed: outcomes.failed }, { lost: 0, doubled: 0, failed: 0 });
  t.is(faults.length, 6);
  t.true(
    faults.some(({ slowestMs }: { slowestMs: number }) => slowestMs > 2000),
    'a death was felt, and outlived',
  );
  for (const { fault, hit, slowestMs, backMs } of faults)
    t.log(`${fault}: ${hit} hit, slowest ${Math.round(slowestMs)} ms, back after ${backMs} ms`);
});

test('chaos: a scenario that names nobody of the cluster is refused, with the line and what to do', async t => {
  const { file } = await scenario({ durationS: 5, faults: [{ kind: 'kill', atS: 1, actor: 'gpu-9' }] });
  const { code, err } = await cli(cleanup, ['chaos', file]);
  t.is(code, 2);
  t.regex(err, /scenario\.yaml:\d+: faults\[0\]\.actor: .*no actor "gpu-9"\n.*gpu-1/s);
});
