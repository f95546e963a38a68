import test from 'ava';
import fc from 'fast-check';
import { merged, nexus, pack, pooled, type Node, type Workload } from '../../allocator/index.ts';
import { affine, device, MB, session, workload } from './world.ts';

/**
 * The fewest devices for sessions that each fit on one and are not cut: branch and bound over all ways to share devices
 * (a session joins a device that is in use, or the next new one). No solver of integer programs is among the dependencies;
 * for so few sessions this is exact.
 */
function optimum(nodes: readonly Node[], memoryBytes: number): number {
  let best = nodes.length;
  const place = (next: number, used: readonly Node[]): void => {
    if (used.length >= best) return;
    const node = nodes[next];
    if (!node) {
      best = used.length;
      return;
    }
    for (const [i, at] of used.entries()) {
      const both = merged(at, node, memoryBytes);
      if (both) place(next + 1, used.with(i, both));
    }
    place(next + 1, [...used, node]);
  };
  place(0, []);
  return best;
}

const small = fc
  .array(
    fc.record({
      alphaMs: fc.double({ min: 0.2, max: 4, noNaN: true }),
      betaMs: fc.double({ min: 0.5, max: 12, noNaN: true }),
      slack: fc.double({ min: 2.5, max: 20, noNaN: true }),
      load: fc.double({ min: 0.02, max: 0.6, noNaN: true }),
      persistentBytes: fc.integer({ min: 100, max: 4000 }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((all): Workload => {
    const curves = all.map((m, i) => affine(`s${i}`, m.alphaMs, m.betaMs, { persistentBytes: m.persistentBytes * MB }));
    const sessions = all.map((m, i) =>
      session(`s${i}`, { sloMs: m.slack * (m.alphaMs + m.betaMs), rateHz: (m.load * 1000) / (m.alphaMs + m.betaMs) }),
    );
    return workload(sessions, curves);
  });

test('capacity: up to six sessions, against the optimum of independent devices (differential)', t => {
  const { memoryBytes } = device();
  let nexusOver = 0;
  let total = 0;
  fc.assert(
    fc.property(small, given => {
      const nodes = given.sessions.flatMap(s => {
        const curve = given.curves.get(s.model, 'k');
        return pack([{ name: s.name, rateHz: s.rateHz, deviceMs: s.sloMs, curve }], memoryBytes);
      });
      fc.pre(nodes.length === given.sessions.length && nodes.every(node => node.kind === 'residual'));
      const best = optimum(nodes, memoryBytes);
      const [a, b] = [pooled(given), nexus(given)];
      if (b.gpus < best) throw new Error(`nexus ${b.gpus} is below the optimum of ${best}`);
      if (a.gpus > b.gpus) throw new Error(`pooled ${a.gpus}, nexus ${b.gpus}`);
      if (b.bound.independentGpus > best + 1e-6) throw new Error(`bound ${b.bound.independentGpus}, optimum ${best}`);
      total += best;
      nexusOver += b.gpus - best;
    }),
    { numRuns: 200, seed: 7 },
  );
  t.log(`optimum ${total} devices, squishy packing ${nexusOver} more`);
  t.true(nexusOver <= 0.05 * total);
});
