import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { truthOfFrame } from '../../actors/stream-sampler/index.ts';
import { decode } from '../../bus/index.ts';
import { subjects, type Frame, type Result, type StreamDocument } from '../../contracts/index.ts';
import { applyFiles } from '../../deploy/apply/index.ts';
import { judge } from '../../deploy/demo/judge.ts';
import { Cleanup } from './cleanup.ts';
import { ONE_OF_EACH, ONNX, startCluster } from './cluster.ts';
import { query, writeDocuments } from './models.ts';
import { cli, ROOT } from './processes.ts';
import { until } from './until.ts';

const FRAMES = 4;
/** Share of the characters that must be read right: the models err now and then on noise. */
const RIGHT_MIN = 0.9;

test('scoreboard: real models read the known texts of a broadcast, from frames and from ganglion infer', async t => {
  t.timeout(300_000);
  const cleanup = new Cleanup();
  t.teardown(() => cleanup.run());
  const stream: StreamDocument = {
    kind: 'Stream',
    name: 'board-1',
    source: { kind: 'synthetic', seed: 5 },
    rateHz: 0.5,
  };
  const cluster = await startCluster(cleanup, {
    actors: [
      { actor: 'stream-sampler', name: 'sampler' },
      ...ONE_OF_EACH.map(entry =>
        entry.actor === 'gpu-host' ? { ...entry, config: { ...ONNX, profileSeconds: 2 } } : entry,
      ),
    ],
    documents: [],
    apply: ['ppocr-det', 'ppocr-rec'].map(name => join(ROOT, `examples/models/${name}.yaml`)),
  });
  const { bus, prefix, ledger } = cluster;
  const board = query(
    'board',
    { detect: { model: 'ppocr-det' }, read: { model: 'ppocr-rec', from: 'detect', fanoutMax: 12, fanout: 4 } },
    { rateHz: 0.5, objectiveMs: 30_000 },
  );
  const file = await writeDocuments(cluster.folder, 'board.yaml', [board, stream]);
  const frames: Frame[] = [];
  bus.subscribe(subjects.frames.at(prefix), ({ data }) => void frames.push(decode(Uint8Array.from(data)) as Frame));
  await applyFiles(bus, [file], { prefix });

  const read = await until(
    `${FRAMES} frames are read`,
    () => {
      const answered = ledger.all('board-1').filter(({ outcome }) => outcome === 'ok' || outcome === 'late');
      return answered.length >= FRAMES ? answered : undefined;
    },
    { limitMs: 240_000, state: () => `${JSON.stringify(ledger.outcomes('board-1'))}\n${cluster.story()}` },
  );
  const share = (results: readonly Result[]): number => {
    const scores = results.map(result => judge(truthOfFrame(stream, result.seq!)!, result));
    const sum = (pick: (score: { characters: number; right: number }) => number): number =>
      scores.reduce((total, score) => total + pick(score), 0);
    t.true(sum(({ characters }) => characters) > 0, 'the frames show texts');
    return sum(({ right }) => right) / sum(({ characters }) => characters);
  };
  t.true(share(read) >= RIGHT_MIN, `${share(read)} of the characters were right`);
  t.true(read.every(({ emulated }) => !emulated));

  const { seq, picture } = frames.find(frame => frame.seq === read[0]!.seq)!;
  await writeFile(join(cluster.folder, 'frame.jpg'), picture.data);
  const asked = ['infer', 'board', join(cluster.folder, 'frame.jpg'), '--budget', '30000', '--nats', cluster.url];
  const json = await cli(cleanup, [...asked, '--json']);
  t.is(json.code, 0, json.err + json.out);
  const result = { ...(JSON.parse(json.out) as Result), seq };
  t.true(share([result]) >= RIGHT_MIN, 'the same picture, asked from the command line');
  const people = await cli(cleanup, asked);
  t.is(people.code, 0);
  for (const { output } of result.stages['read'] ?? []) {
    if (output.kind === 'text') t.true(people.out.includes(output.text), `${output.text} is printed:\n${people.out}`);
  }
});
