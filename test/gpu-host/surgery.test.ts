import test from 'ava';
import { VirtualClock } from '../../bus/index.ts';
import { DeviceError, hashOfCut, ModelError, type ModelDocument } from '../../contracts/index.ts';
import { cutsOf, hashesOf, readModel, splitAt, writeModel } from '../../gpu-host/graph/index.ts';
import { openSurgery } from '../../gpu-host/onnx/surgery.ts';
import { Readings } from '../../gpu-host/onnx/readings.ts';
import { inMemory } from './model-setup.ts';
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

test('surgery: cuts, rests, cuts again, and refuses once it is closed', async t => {
  const clock = new VirtualClock();
  const surgery = openSurgery(clock);
  t.teardown(() => surgery.close());
  const document = { name: 'variant', file: 'm.onnx', postprocess: { kind: 'tensors' } } as ModelDocument;
  const [one, other] = [2, 3].map(head => inMemory(document, { 'm.onnx': variant(head) }));
  const whole = readModel(variant(3));
  const [first, second] = cutsOf(whole).cuts;
  const cut = first!.hash.slice(0, 12);
  const prefix = await surgery.prefix(one!, { cut });
  await clock.runFor(60_000);
  const suffix = await surgery.suffix(other!, cut, prefix);
  const parts = splitAt(whole, first!);
  t.deepEqual(Buffer.from(prefix.bytes), Buffer.from(writeModel(parts.prefix)));
  t.deepEqual(Buffer.from(suffix.bytes), Buffer.from(writeModel(parts.suffix)));

  const tensors = [...first!.tensors, ...second!.tensors].map(({ hash }) => hash.slice(0, 16));
  const more = await surgery.prefix(one!, { cut: hashOfCut(tensors).slice(0, 12), tensors });
  t.is(more.tensors.length, 2);
  const less = await surgery.suffix(other!, cut, more);
  t.is(less.nodes, splitAt(whole, second!).suffix.proto.graph!.node.length, 'it takes what is furthest down');
  await t.throwsAsync(surgery.prefix(one!, { cut, tensors }), { instanceOf: ModelError, message: /can't be cut at/ });
  const stranger = { ...prefix, tensors: ['0'.repeat(64)] };
  await t.throwsAsync(surgery.suffix(other!, cut, stranger), { message: /can't be cut at .*is not in this graph/ });

  await surgery.close();
  await t.throwsAsync(surgery.prefix(one!, { cut }), { instanceOf: DeviceError });
});
