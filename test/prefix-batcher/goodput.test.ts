import test from 'ava';
import { deferred, eager, hybrid, type PolicyFactory } from '../../actors/prefix-batcher/policy/index.ts';
import { simulate, type SimModel, type SimOptions } from './sim.ts';

/** The curve of Symphony's example, ResNet-50-like; 8 hosts at SLO 50 ms: (1 + 1/8)·ℓ(36) ≤ 50, so 36/ℓ(36) = 815/s each. */
const resnet: SimModel = {
  name: 'resnet50',
  alphaMs: 1.082,
  betaMs: 5.204,
  batchMax: 64,
  objectiveMs: 50,
  rateHz: 0,
  prefer: 'latency',
};
const STAGGERED_HZ = (8 * 36_000) / (1.082 * 36 + 5.204);

const oneModel = (share: number, prefer: SimModel['prefer'] = 'latency'): Omit<SimOptions, 'policy'> => ({
  models: [{ ...resnet, rateHz: share * STAGGERED_HZ, prefer }],
  hosts: 8,
  ms: 4000,
  seed: 7,
});

/** Ten sessions with objectives of 50 to 150 ms and rates that differ up to six-fold, on four hosts. */
const tenModels = (meanHz: number): Omit<SimOptions, 'policy'> => ({
  models: Array.from({ length: 10 }, (_, i) => ({
    ...resnet,
    name: `m${i}`,
    objectiveMs: [50, 60, 80, 100, 150][i % 5]!,
    rateHz: meanHz * [0.3, 0.6, 1, 1.4, 1.7][i >> 1]!,
  })),
  hosts: 4,
  ms: 4000,
  seed: 7,
});

/** The highest of the loads, by growing load, up to which 99 % (of the worst model: 98 %) are in time. */
function goodput(policy: PolicyFactory, loads: readonly number[], at: (load: number) => Omit<SimOptions, 'policy'>) {
  let best = 0;
  for (const load of loads) {
    const report = simulate({ ...at(load), policy });
    if (report.goodShare < 0.99 || report.worstModelGoodShare < 0.98) break;
    best = load;
  }
  return best;
}

test('goodput: one model on 8 hosts reaches 92 % of the staggered bound, as do the rivals (SLO 50 ms)', t => {
  const loads = [0.3, 0.6, 0.8, 0.86, 0.9, 0.92, 0.94, 0.96];
  const [ours, theirs, symphony] = [hybrid, eager, deferred].map(policy => goodput(policy, loads, oneModel));
  t.true(ours! >= 0.92, `hybrid reached ${ours}`);
  t.true(ours! >= 0.97 * theirs!, `hybrid ${ours}, eager ${theirs}`);
  t.true(ours! >= 0.97 * symphony!, `hybrid ${ours}, deferred ${symphony}`);
});

test('goodput: ten models on four hosts get more from hybrid than from eager or deferred', t => {
  const loads = [60, 120, 160, 180, 200, 210, 220, 230, 240, 250, 260];
  const [ours, theirs, symphony] = [hybrid, eager, deferred].map(policy => goodput(policy, loads, tenModels));
  t.true(ours! >= 240, `hybrid reached ${ours}`);
  t.true(ours! >= theirs!, `hybrid ${ours}, eager ${theirs}`);
  t.true(ours! >= symphony!, `hybrid ${ours}, deferred ${symphony}`);
});

test('goodput: on a single host nothing is gained by waiting, and hybrid serves as much as eager', t => {
  const bad = (policy: PolicyFactory): number => {
    const at = { models: [{ ...resnet, rateHz: 640 }], hosts: 1, ms: 20_000, policy };
    return [1, 2, 3].reduce((sum, seed) => sum + 1 - simulate({ ...at, seed }).goodShare, 0) / 3;
  };
  t.true(bad(hybrid) <= bad(eager), `${bad(hybrid)} and ${bad(eager)}`);
});

test('goodput: 2 % jitter costs little, since margins follow it', t => {
  const report = simulate({ ...oneModel(0.85), policy: hybrid, jitter: 0.02, marginMsMin: 1 });
  t.true(report.goodShare > 0.99, `${report.goodShare} in time`);
});

test('goodput: payloads that take 2 ms cost little, since grants are given that much earlier', t => {
  const report = simulate({ ...oneModel(0.88), policy: hybrid, fillMs: 2 });
  t.true(report.goodShare > 0.99, `${report.goodShare} in time`);
});

test('goodput: a host that is 1.5 times slower than its profile gets less work', t => {
  const models = [{ ...resnet, rateHz: 0.75 * 3 * 760 }];
  const report = simulate({ models, hosts: 3, ms: 4000, seed: 7, policy: hybrid, slowness: [1, 1.5, 1] });
  t.true(report.goodShare > 0.98, `${report.goodShare} in time`);
});

test('goodput: bursts of 12 do not collapse it', t => {
  const report = simulate({ ...oneModel(0.8), policy: hybrid, burst: 12 });
  t.true(report.goodShare > 0.99, `${report.goodShare} in time`);
});

test('goodput: at low load consolidation leaves hosts idle, latency is quick', t => {
  const packed = simulate({ ...oneModel(0.2, 'consolidation'), policy: hybrid });
  const quick = simulate({ ...oneModel(0.2, 'latency'), policy: hybrid });
  t.true(packed.hostsUsed <= 4, `${packed.hostsUsed} of 8 hosts used`);
  t.true(packed.goodShare > 0.999);
  t.true(quick.p50Ms < 10, `p50 ${quick.p50Ms} ms`);
});

test('goodput: overload degrades, it does not collapse', t => {
  const report = simulate({ ...oneModel(1.5), policy: hybrid });
  t.true(report.goodShare > 0.6, `${report.goodShare} of 1.5 times the bound in time`);
});

test('goodput: the same seed gives the same run', t => {
  const run = () => simulate({ ...tenModels(200), policy: hybrid, jitter: 0.02 });
  t.deepEqual(run(), run());
});
