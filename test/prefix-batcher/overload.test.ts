import test from 'ava';
import fc from 'fast-check';
import { fairLevel, Fairness } from '../../actors/prefix-batcher/fairness.ts';
import { curveOf, hybrid } from '../../actors/prefix-batcher/policy/index.ts';
import { Simulation, type SimSession } from '../../bench/lib/simulate.ts';

const HOSTS = 4;
const pointAt = (batch: number) => {
  const meanMs = 1.082 * batch + 5.204;
  return { batch, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes: 0, repeats: 1 };
};
const curve = curveOf({ points: [pointAt(1), pointAt(64)] }, 64);
const MS = 12_000;
const WARM_MS = 4_000;

/** Sessions of one model with an objective of 60 ms each; answers in time a second, after 4 s. */
function goodHz(sessions: readonly Pick<SimSession, 'name' | 'rateHz' | 'tenant'>[], seed = 7): number[] {
  const run = new Simulation({
    policy: hybrid,
    seed,
    pools: [{ hosts: HOSTS, groups: [{ name: 'm', curve }] }],
    sessions: sessions.map(session => {
      return { objectiveMs: 60, prefer: 'latency' as const, routes: [{ pool: 0, group: 0, share: 1 }], ...session };
    }),
  });
  run.runUntil(WARM_MS);
  const before = run.counts.map(({ good }) => good);
  run.runUntil(MS);
  return run.counts.map(({ good }, i) => ((good - before[i]!) * 1000) / (MS - WARM_MS));
}

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);
/** Of this pool and objective, by the staggered rule (1 + 1/4)·ℓ(b) ≤ 60. */
const CAPACITY_HZ = (HOSTS * 39_000) / (1.082 * 39 + 5.204);

test('overload: at three times its capacity a pool answers as much in time as at its peak, within a tenth', t => {
  const at = (load: number): number => sum(goodHz([{ name: 'a', rateHz: load * CAPACITY_HZ }]));
  const loads = [0.8, 0.9, 1, 1.2, 1.5, 2, 3];
  const goods = loads.map(at);
  const peak = Math.max(...goods);
  t.true(goods.at(-1)! >= 0.9 * peak, `${goods.at(-1)} of ${peak}`);
  t.log(loads.map((load, i) => `${load}: ${Math.round(goods[i]!)}`).join(', '), `capacity ${Math.round(CAPACITY_HZ)}`);
});

/** Two tenants want 0.3 of the capacity each, a third twenty-four tenths. */
const crowd = (tenants: boolean) =>
  [0.3, 0.3, 2.4].map((load, i) => ({ name: `s${i}`, rateHz: load * CAPACITY_HZ, tenant: tenants ? `t${i}` : 't' }));

test('overload: a tenant that wants too much takes nothing from those that want less than their share', t => {
  const fair = goodHz(crowd(true));
  const unfair = goodHz(crowd(false));
  const part = (goods: readonly number[], i: number): number => goods[i]! / crowd(true)[i]!.rateHz;
  t.log(`answered of what they asked for: ${fair.map((_, i) => part(fair, i).toFixed(3)).join(', ')};`);
  t.log(`without tenants: ${unfair.map((_, i) => part(unfair, i).toFixed(3)).join(', ')}`);
  for (const i of [0, 1]) t.true(part(fair, i) > 0.9, `${part(fair, i)}`);
  t.true(part(unfair, 0) < 0.6, 'all suffer alike');
  t.true(sum(fair) >= 0.95 * sum(unfair), `${sum(fair)} instead of ${sum(unfair)}`);
});

test('overload: while nothing is short tenants cost nothing', t => {
  const loads = [0.2, 0.2, 0.45];
  const sessions = (tenants: boolean) =>
    loads.map((load, i) => ({ name: `s${i}`, rateHz: load * CAPACITY_HZ, tenant: tenants ? `t${i}` : 't' }));
  t.deepEqual(goodHz(sessions(true)), goodHz(sessions(false)));
});

test('overload: a fair level fills the small, and gives the large the same', t => {
  t.is(fairLevel([1, 2, 9], 6), 3);
  t.is(fairLevel([1, 2, 3], 6), Infinity);
  const demands = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(demands, fc.double({ min: 0.01, max: 100, noNaN: true }), (wanted, capacity) => {
      const level = fairLevel(wanted, capacity);
      const given = sum(wanted.map(demand => Math.min(demand, level)));
      t.true(given <= capacity * 1.000001 && (level === Infinity || given >= capacity * 0.999999));
    }),
  );
});

test('overload: when hosts come, what was turned away is let in within seconds', t => {
  const fairness = new Fairness();
  /** One tenant asks for 2 hosts' time, one for half a host's. */
  const run = (hosts: number, ms: number): number => {
    let [asked, admitted] = [0, 0];
    for (let at = 0; at < ms; at += 100) {
      let inMs = 0;
      for (let i = 0; i < 250; i++) {
        asked++;
        if (!fairness.admits(i % 5 === 0 ? 'small' : 'large', 1)) continue;
        admitted++;
        inMs++;
      }
      const served = Math.min(inMs, hosts * 100);
      fairness.served(served);
      fairness.dropped(inMs - served);
      fairness.measure(100);
    }
    return admitted / asked;
  };
  run(1, 10_000);
  t.true(run(1, 5_000) < 0.55);
  run(4, 6_000);
  t.is(run(4, 1_000), 1);
});
