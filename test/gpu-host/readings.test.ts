import test from 'ava';
import { cutsOf, hashesOf, readModel } from '../../gpu-host/graph/index.ts';
import { Readings } from '../../gpu-host/onnx/readings.ts';
import { fileOf, floats, node, weights } from '../graph/networks.ts';

const WIDTH = 48;

/** Layers of 9 KB each; `head` is the last one's seed. */
const variant = (head: number): Uint8Array =>
  fileOf({
    inputs: { x: ['N', WIDTH] },
    outputs: ['y'],
    weights: [
      weights('w0', [WIDTH, WIDTH], 1),
      weights('w1', [WIDTH, WIDTH], head),
      floats('b', [WIDTH], [...Array(WIDTH).keys()]),
    ],
    nodes: [node('MatMul', 'x w0', 'h'), node('Add', 'h b', 'r'), node('MatMul', 'r w1', 'y')],
  });

test('readings: a file is read once, whatever it is called; the longest unused goes first', t => {
  const files = [2, 3, 4].map(variant);
  const readings = new Readings(files[0]!.length * 2);
  const [first, second] = files.map(file => readings.read('a', file));
  t.not(first, second);
  t.is(readings.read('b', Uint8Array.from(files[1]!)), second!);
  const large = readings.read('c', files[2]!);
  t.is(readings.read('c', files[2]!), large);
  t.not(readings.read('a', files[0]!), first!, 'there was room for two');
  const tiny = new Readings(1);
  t.is(tiny.read('a', files[0]!), tiny.read('a', files[0]!), 'one is kept, however large');
});

test('readings: what variants have in common is hashed once, and no hash is another for that', t => {
  const readings = new Readings(1e9);
  hashesOf(readings.read('first', variant(2)));
  for (const head of [3, 2.5, 3]) {
    const [shared, alone] = [readings.read('other', variant(head)), readModel(variant(head))];
    t.deepEqual(hashesOf(shared), hashesOf(alone));
    t.deepEqual(cutsOf(shared), cutsOf(alone));
  }
});
