import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ModelDocument, Payload, Result } from '../../contracts/index.ts';
import { fileOf, node, weights, type Network } from '../graph/networks.ts';
import { openSystem } from './in-process.ts';

const [CHANNELS, SIDE, CLASSES] = [8, 12, 5];

/** A residual block; one variant reads its end alone, the other by a skip connection its beginning too. */
const network = (skips: boolean, seed: number): Network => ({
  inputs: { x: ['N', 3, SIDE, SIDE] },
  outputs: ['y'],
  weights: [
    weights('w1', [CHANNELS, 3, 3, 3], 1),
    weights('w2', [CHANNELS, CHANNELS, 3, 3], 2),
    ...(skips ? [weights('w3', [CHANNELS, CHANNELS, 1, 1], 3)] : []),
    weights('head', [CHANNELS, CLASSES], seed),
  ],
  nodes: [
    node('Conv', 'x w1', 'c1', { pads: [1, 1, 1, 1] }),
    node('Relu', 'c1', 'r1'),
    node('Conv', 'r1 w2', 'c2', { pads: [1, 1, 1, 1] }),
    node('Add', 'c2 r1', 'sum'),
    node('Relu', 'sum', 'end'),
    ...(skips ? [node('Conv', 'r1 w3', 'c3'), node('Mul', 'end c3', 'seen')] : []),
    node('GlobalAveragePool', skips ? 'seen' : 'end', 'pooled'),
    node('Flatten', 'pooled', 'flat'),
    node('MatMul', 'flat head', 'y'),
  ],
});

const MODELS: Readonly<Record<string, Network>> = {
  plain: network(false, 4),
  other: network(false, 5),
  skipping: network(true, 6),
};
const NAMES = Object.keys(MODELS);

const documentOf = (name: string): ModelDocument => ({
  kind: 'Model',
  name,
  version: '1',
  file: `${name}.onnx`,
  licence: 'none',
  source: 'made here',
  preprocess: { kind: 'picture', width: SIDE, height: SIDE, fit: 'stretch' },
  postprocess: { kind: 'tensors' },
  batchMax: 8,
});

const input = (seed: number): Payload => ({
  encoding: 'rgb',
  width: SIDE,
  height: SIDE,
  data: Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => 128 + 127 * Math.sin((i + 1) * (seed + 1.3))),
});

function scores({ outcome, trouble, stages }: Result): Float32Array {
  const output = stages['only']?.[0]?.output;
  if (output?.kind !== 'tensors') throw new Error(`${outcome}: ${JSON.stringify(trouble)}`);
  return new Float32Array(Uint8Array.from(output.tensors['y']!.data).buffer);
}

const difference = (a: Float32Array, b: Float32Array): number =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

test('end to end: a model that reads a skip connection shares the trunk with those that do not; each is answered as alone', async t => {
  t.timeout(60_000);
  const folder = await mkdtemp(join(tmpdir(), 'ganglion-'));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const [name, one] of Object.entries(MODELS)) await writeFile(join(folder, `${name}.onnx`), fileOf(one));
  const system = await openSystem(t, NAMES.map(documentOf), folder);
  const asked = Array.from({ length: 24 }, (_, i) => ({ name: NAMES[i % NAMES.length]!, payload: input(i) }));
  const oneByOne = async (): Promise<Float32Array[]> => {
    const answers: Float32Array[] = [];
    for (const { name, payload } of asked) answers.push(scores(await system.ask(name, payload)));
    return answers;
  };

  await system.plan(system.asked);
  const whole = await oneByOne();
  const [plain, skipping] = [system.asked.slice(0, 2), system.asked].map(system.candidate);
  t.deepEqual([plain!.tensors!.length, skipping!.tensors!.length], [1, 2], 'the cut of all is through more tensors');
  await system.plan([], skipping);
  const alone = await oneByOne();
  t.deepEqual(new Set(system.mixed()), new Set([1]));
  const together = await Promise.all(asked.map(async ({ name, payload }) => scores(await system.ask(name, payload))));
  t.true(Math.max(...system.mixed()) === NAMES.length);
  asked.forEach(({ name }, i) => {
    t.deepEqual(together[i], alone[i], `${name}, ${i}`);
    t.true(difference(alone[i]!, whole[i]!) < 1e-5);
  });
  t.true(difference(alone[0]!, alone[1]!) > 1e-3, 'answers do differ');

  // It leaves: the others stay with the prefix that they have, or take one that gives less.
  await system.plan(system.asked.slice(2), plain);
  const after = await Promise.all(asked.map(async ({ name, payload }) => scores(await system.ask(name, payload))));
  after.forEach((answer, i) => t.true(difference(answer, whole[i]!) < 1e-5));
});
