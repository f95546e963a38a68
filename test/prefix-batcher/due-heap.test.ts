import test from 'ava';
import fc from 'fast-check';
import { DueHeap } from '../../actors/prefix-batcher/policy/due-heap.ts';

test('due heap: the earliest of all times is on top, however they change', t => {
  const change = fc.record({ number: fc.nat(9), atMs: fc.oneof(fc.nat(20), fc.constant(Infinity)) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 100 }), changes => {
      const heap = new DueHeap(10);
      const times: number[] = Array.from({ length: 10 }, () => Infinity);
      for (const { number, atMs } of changes) {
        heap.set(number, atMs);
        times[number] = atMs;
        t.is(heap.firstAtMs, Math.min(...times));
        t.is(times[heap.first!], heap.firstAtMs);
      }
    }),
  );
});

test('due heap: of nothing is never due', t => {
  const heap = new DueHeap(0);
  t.is(heap.first, undefined);
  t.is(heap.firstAtMs, Infinity);
});
