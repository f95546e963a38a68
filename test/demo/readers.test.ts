import { join } from 'node:path';
import test from 'ava';
import type { QueryDocument, StreamDocument } from '../../contracts/index.ts';
import { applyFiles } from '../../deploy/apply/index.ts';
import { Director } from '../../deploy/demo/director.ts';
import { Tally } from '../../deploy/demo/tally.ts';
import { readDocuments } from '../../deploy/documents/index.ts';
import { Cleanup } from '../end-to-end/cleanup.ts';
import { ONE_OF_EACH, ONNX, startCluster } from '../end-to-end/cluster.ts';
import { writeDocuments } from '../end-to-end/models.ts';
import { ROOT } from '../end-to-end/processes.ts';
import { until } from '../end-to-end/until.ts';

const MODELS = ['ppocr-det', 'read-score', 'read-clock', 'read-names'];
const RIGHT_MIN = 0.9;

test('demo: the three readers share a trunk, crops for several of them come in one batch, and they are read right', async t => {
  t.timeout(300_000);
  const cleanup = new Cleanup();
  t.teardown(() => cleanup.run());
  const stream: StreamDocument = {
    kind: 'Stream',
    name: 'game-1',
    source: { kind: 'synthetic', seed: 1 },
    rateHz: 0.5,
  };
  const { documents } = await readDocuments([join(ROOT, 'examples/queries/scoreboard.yaml')]);
  // What is asked here is whether they are read together, not how soon on a machine with other things to do.
  const board = { ...(documents[0]!.document as QueryDocument), objectiveMs: 30_000, rateHz: 0.5 };
  const cluster = await startCluster(cleanup, {
    actors: [
      { actor: 'stream-sampler', name: 'sampler' },
      ...ONE_OF_EACH.map(entry =>
        entry.actor === 'gpu-host' ? { ...entry, config: { ...ONNX, profileSeconds: 2 } } : entry,
      ),
    ],
    documents: [],
    apply: MODELS.map(name => join(ROOT, `examples/models/${name}.yaml`)),
  });
  const { bus, prefix, folder, ledger } = cluster;
  const director = new Director(bus, prefix);
  const tally = new Tally(bus, prefix, [stream]);
  await applyFiles(bus, [await writeDocuments(folder, 'board.yaml', [board, stream])], { prefix });
  const state = (): string =>
    `${JSON.stringify({ ran: director.ran, saved: director.saved })} ${tally.line()}\n` +
    `${JSON.stringify(ledger.outcomes('game-1'))}\n${cluster.story()}`;
  await until('batches of several readers', () => director.ran.mixed > 0 && tally.answers >= 3, {
    limitMs: 240_000,
    state,
  });
  t.is(director.saved.members, 3, 'behind one prefix');
  t.true(director.saved.bytes > 0);
  const { batches, mixed, granted, models } = director.ran;
  t.true(granted > batches && models >= batches + mixed, JSON.stringify(director.ran));
  t.true(tally.charactersRight >= RIGHT_MIN * tally.characters, tally.line());
});
