import test from 'ava';
import fc from 'fast-check';
import {
  memoryOf,
  merged,
  occupancy,
  pack,
  residualCycle,
  saturatingBatch,
  type Load,
  type Node,
} from '../../allocator/index.ts';
import { curve, linear } from './profiles.ts';

/**
 * Nexus (SOSP'19), section 4.1 and table 2: sessions A, B, C with objectives 200, 250, 250 ms. A4, B8, C8 are
 * recalled, not seen.
 */
const PAPER = {
  A: { sloMs: 200, latencyMs: { 4: 50, 8: 75, 16: 100 } },
  B: { sloMs: 250, latencyMs: { 4: 50, 8: 90, 16: 125 } },
  C: { sloMs: 250, latencyMs: { 4: 60, 8: 95, 16: 125 } },
};
const paper = (name: keyof typeof PAPER, rateHz: number): Load => ({
  name,
  rateHz,
  deviceMs: PAPER[name].sloMs,
  curve: curve(name, PAPER[name].latencyMs),
});
const AMPLE = 1e12;
const describe = (node: Node): string =>
  `${node.kind} ${Number(node.dutyMs.toFixed(3))} ms: ${node.shares.map(s => `${s.load.name}×${s.batch}`).join(' ')}`;

test("packing: the paper's saturated sessions (batch 16: 160, 128, 128 requests a second)", t => {
  for (const [name, throughputHz] of [
    ['A', 160],
    ['B', 128],
    ['C', 128],
  ] as const) {
    const load = paper(name, 3 * throughputHz);
    t.is(saturatingBatch(load, AMPLE), 16);
    t.deepEqual(
      pack([load], AMPLE).map(n => [n.kind, n.shares[0]!.rateHz]),
      Array.from({ length: 3 }, () => ['whole', throughputHz]),
    );
  }
});

test("packing: the paper's residuals (A 64, B and C 32 requests a second: B joins A, C does not)", t => {
  t.deepEqual(residualCycle(paper('A', 64), 64, 16), { batch: 8, dutyMs: 125 });
  const nodes = pack([paper('A', 64), paper('B', 32), paper('C', 32)], AMPLE);
  t.deepEqual(nodes.map(describe)[0], 'residual 125 ms: A×8 B×4');
  t.is(occupancy(nodes[0]!), 1);
  t.is(nodes.length, 2);
  t.deepEqual(
    nodes[1]!.shares.map(s => s.load.name),
    ['C'],
  );
});

test("packing: the slides' pair (M2 at M1's duty cycle of 8 ms takes 63 %: no merge)", t => {
  const m1: Load = { name: 'M1', rateHz: 500, deviceMs: 12, curve: curve('M1', { 4: 4 }) };
  const m2: Load = { name: 'M2', rateHz: 250, deviceMs: 18, curve: curve('M2', { 2: 5, 3: 6 }) };
  const [a, b] = [pack([m1], AMPLE)[0]!, pack([m2], AMPLE)[0]!];
  t.is(describe(a), 'residual 8 ms: M1×4');
  t.is(describe(b), 'residual 12 ms: M2×3');
  t.is(occupancy(a), 0.5);
  t.is(occupancy(b), 0.5);
  t.is(merged(a, b, AMPLE), undefined);
  t.is(pack([m1, m2], AMPLE).length, 2);
});

test('packing: memory keeps apart what time would let together', t => {
  const load = (name: string): Load => ({
    name,
    rateHz: 5,
    deviceMs: 200,
    curve: curve(name, linear(1, 5), { persistentBytes: 600 }),
  });
  t.is(pack([load('x'), load('y')], 2000).length, 1);
  t.is(pack([load('x'), load('y')], 1000).length, 2);
  // Two loads of one model hold its weights once.
  const twice = [load('x'), { ...load('x'), name: 'x2' }];
  t.is(pack(twice, 1000).length, 1);
});

test('packing: an objective between ℓ(1) and 2ℓ(1) gets a device of its own', t => {
  const load: Load = { name: 'x', rateHz: 1, deviceMs: 30, curve: curve('x', linear(1, 19)) };
  t.deepEqual(
    pack([load, { ...load, name: 'y', deviceMs: 500 }], AMPLE).map(n => n.kind),
    ['tight', 'residual'],
  );
});

test('packing: a rate just below a whole device takes one, not a smaller batch that falls behind', t => {
  const load: Load = { name: 'x', rateHz: 99.9, deviceMs: 40, curve: curve('x', linear(1, 18)) }; // ℓ(2) = 20: 100 r/s
  t.deepEqual(pack([load], AMPLE).map(describe), ['whole 20 ms: x×2']);
});

const loads = fc
  .array(
    fc.record({
      model: fc.integer({ min: 0, max: 5 }),
      alphaMs: fc.double({ min: 0.01, max: 20, noNaN: true }),
      betaMs: fc.double({ min: 0.1, max: 30, noNaN: true }),
      rateHz: fc.double({ min: 0.1, max: 800, noNaN: true }),
      slack: fc.double({ min: 2.001, max: 20, noNaN: true }),
      persistentBytes: fc.integer({ min: 1, max: 300 }),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map(all =>
    all.map(({ alphaMs, betaMs, rateHz, slack, persistentBytes }, i): Load => {
      const facts = { persistentBytes, ephemeralBytesPerItem: 3 };
      const deviceMs = slack * (alphaMs + betaMs);
      return { name: `s${i}`, rateHz, deviceMs, curve: curve(`m${i}`, linear(alphaMs, betaMs), facts) };
    }),
  );
const MEMORY = 1000;

test('packing: every node keeps every objective, the memory and its own cycle (property)', t => {
  fc.assert(
    fc.property(loads, all => {
      for (const node of pack(all, MEMORY)) {
        let busy = 0;
        for (const { load, batch, rateHz } of node.shares) {
          busy += load.curve.latencyMs(batch);
          // An input that just misses its cycle waits for one and then runs.
          const worstMs = node.dutyMs + load.curve.latencyMs(batch);
          if (worstMs > load.deviceMs * (1 + 1e-6)) throw new Error(`${load.name}: ${worstMs} > ${load.deviceMs}`);
          if (batch + 1e-6 < (node.dutyMs * rateHz) / 1000) throw new Error(`${load.name} gets more than it runs`);
        }
        if (busy > node.dutyMs * (1 + 1e-6)) throw new Error('a cycle is longer than its duty');
        if (memoryOf(node.shares) > MEMORY) throw new Error('memory');
      }
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test('packing: all of the rate is served, and the order of the loads does not matter (property)', t => {
  fc.assert(
    fc.property(loads, fc.infiniteStream(fc.nat()), (all, keys) => {
      const nodes = pack(all, MEMORY);
      for (const load of all) {
        const servedHz = nodes.flatMap(n => n.shares).reduce((sum, s) => sum + (s.load === load ? s.rateHz : 0), 0);
        if (Math.abs(servedHz - load.rateHz) > 1e-3) throw new Error(`${load.name}: ${servedHz} of ${load.rateHz}`);
      }
      const shuffled = all.map(load => ({ load, key: keys.next().value as number })).toSorted((a, b) => a.key - b.key);
      t.deepEqual(
        pack(
          shuffled.map(s => s.load),
          MEMORY,
        ).map(describe),
        nodes.map(describe),
      );
    }),
    { numRuns: 200 },
  );
});
