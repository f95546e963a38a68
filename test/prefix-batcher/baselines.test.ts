import test from 'ava';
import { ourPolicies, type PolicyFactory } from '../../actors/prefix-batcher/policy/index.ts';
import { ConfigError } from '../../contracts/index.ts';
import { Cluster, MODEL, planOf, SESSION } from './cluster.ts';
import { simulate } from './sim.ts';
import { Stand } from './stand.ts';

const policy =
  (name: string, options: Record<string, unknown> = {}): PolicyFactory =>
  () =>
    ourPolicies[name]!(options);
const model = { name: 'm', alphaMs: 1, betaMs: 9, batchMax: 64, budgetMs: 100 };

/** The highest rate up to which 99 % are in time: one model on one host, Poisson. */
function goodputHz(of: PolicyFactory, curve: { alphaMs: number; betaMs: number }, objectiveMs: number): number {
  for (let rateHz = 300; ; rateHz += 10) {
    const models = [{ name: 'm', ...curve, batchMax: 64, objectiveMs, rateHz, prefer: 'latency' as const }];
    const { goodShare } = simulate({ models, hosts: 1, ms: 30_000, seed: 3, policy: of });
    if (goodShare < 0.99) return rateHz - 10;
  }
}

test("nexus: early drop serves more than lazy drop, the more a batch's fixed cost weighs (SOSP'19, section 6.3: up to 25 % at 100 ms)", t => {
  // All keep 2ℓ(25) = 100 ms, at best 500 a second.
  const gains = [25, 15, 5].map(betaMs => {
    const curve = { alphaMs: 2 - betaMs / 25, betaMs };
    const [early, lazy] = ['early', 'lazy'].map(drop => goodputHz(policy('nexus', { drop }), curve, 100));
    t.true(early! >= 0.84 * 500 && early! <= 500, `${early} of at best 500 a second`);
    return early! / lazy!;
  });
  t.true(gains[0]! > 1.15 && gains[0]! < 1.35, `${gains[0]}`);
  t.true(gains[0]! > gains[1]! && gains[1]! > gains[2]! && gains[2]! > 1, gains.join(', '));
});

test('nexus: what would make the batch late is given up, from the most urgent on; lazily only what is hopeless', t => {
  for (const [drop, dropped, granted] of [
    ['early', [11, 12], [13, 14, 15]],
    ['lazy', [11], [12]],
  ] as const) {
    const stand = new Stand({ models: [{ ...model, batchMax: 3 }], hosts: ['a'], policy: policy('nexus', { drop }) });
    stand.offer(0);
    stand.tell('a', 'started', 0);
    // At 10 a batch of three ends at 22, one of one at 20.
    for (const [i, budgetMs] of [18, 19.5, 40, 40, 40].entries()) stand.offer(1, { budgetMs, id: 11 + i });
    stand.tell('a', 'finished', 10);
    t.deepEqual(stand.dropped, [...dropped]);
    t.deepEqual([...stand.grants.at(-1)!.ids], [...granted]);
  }
});

test('nexus: the models of a host take turns, and those that wait for nothing are passed over', t => {
  const models = ['a', 'b', 'c'].map(name => ({ ...model, name }));
  const stand = new Stand({ models, hosts: ['gpu'], policy: policy('nexus') });
  for (const name of ['a', 'a', 'b', 'b', 'a', 'a']) stand.offer(0, { model: name });
  const order: string[] = [];
  for (let atMs = 0; order.length < 3; atMs += 20) {
    order.push(stand.grants.at(-1)!.model);
    stand.tell('gpu', 'started', atMs);
    stand.tell('gpu', 'finished', atMs + 20);
  }
  t.deepEqual(order, ['a', 'b', 'a']);
});

test('nexus: each invocation goes to one host in proportion to the plan, waits there, and runs in batches of the planned size', async t => {
  const cluster = new Cluster(t);
  const share = (host: string, rateHz: number) => ({
    hosts: [host],
    dutyMs: 50,
    sessions: [{ name: 'joint', of: [SESSION], model: MODEL, batch: 3, rateHz, latencyMs: 100 }],
  });
  await cluster.start({ policy: 'nexus' }, planOf(1, { capacity: [share('gpu-a', 30), share('gpu-b', 10)] }));
  for (const host of ['gpu-a', 'gpu-b']) cluster.beat(host);
  await cluster.run(1);
  cluster.offer(16, { budgetMs: 2000 });
  const ran = new Map<string, number[]>();
  for (let i = 0; i < cluster.outlines.length || i === 0; i++) {
    await cluster.run(5);
    const outline = cluster.outlines[i]!;
    ran.set(outline.to, [...(ran.get(outline.to) ?? []), outline.ids.length]);
    cluster.progress(outline, 'started');
    await cluster.run(20);
    cluster.progress(outline, 'finished');
    await cluster.run(5);
  }
  const sum = (host: string): number => ran.get(host)!.reduce((all, size) => all + size, 0);
  t.deepEqual([sum('gpu-a'), sum('gpu-b')], [12, 4], 'though b was idle while a had a queue');
  t.true(Math.max(...ran.get('gpu-a')!) === 3);
});

test('timeout: a batch runs when it is full or its oldest input has waited long enough, and is never too late to run', t => {
  const stand = new Stand({ models: [model], hosts: ['a'], policy: policy('timeout', { batch: 3, timeoutMs: 5 }) });
  stand.offer(0);
  stand.offer(2);
  t.is(stand.grants.length, 0);
  t.is(stand.pool.wakeAtMs, 5);
  stand.pool.settle(5);
  t.deepEqual(stand.grants[0]!.ids, [1, 2]);
  stand.tell('a', 'started', 5);
  for (let i = 0; i < 4; i++) stand.offer(6, { budgetMs: 1 });
  stand.tell('a', 'finished', 16);
  t.deepEqual(stand.grants[1]!.ids, [3, 4, 5], 'full at once; the fourth stays');
  t.deepEqual(stand.dropped, []);
});

test('timeout: on one device it serves what its batch allows within the objective, and falls apart beyond', t => {
  const at = (rateHz: number): number =>
    simulate({
      models: [{ name: 'm', alphaMs: 1.082, betaMs: 5.204, batchMax: 64, objectiveMs: 50, rateHz, prefer: 'latency' }],
      hosts: 1,
      ms: 10_000,
      seed: 3,
      policy: policy('timeout'),
    }).goodShare;
  // 2ℓ(18) ≤ 50: 729 a second.
  t.true(at(600) > 0.99);
  t.true(at(800) < 0.2);
});

test('aimd: the batch grows by one while it is within the objective and shrinks by a tenth when it is not', t => {
  const stand = new Stand({ models: [{ ...model, budgetMs: 50 }], hosts: ['a'], policy: policy('aimd') });
  const sizes: number[] = [];
  stand.offer(0);
  for (let atMs = 0; sizes.length < 120; ) {
    const { ids, expectedMs } = stand.grants.at(-1)!;
    sizes.push(ids.length);
    stand.tell('a', 'started', atMs);
    atMs += expectedMs;
    for (let i = 0; i < 64; i++) stand.offer(atMs - 1);
    stand.tell('a', 'finished', atMs);
  }
  t.deepEqual(sizes.slice(0, 5), [1, 2, 3, 4, 5]);
  // ℓ(41) = 50: the first that is too long is 42, a tenth less is 37.
  t.is(Math.max(...sizes), 42);
  t.is(Math.min(...sizes.slice(42)), 37);
});

test('policies: an option that a policy does not have, or of another kind, is refused by name', t => {
  for (const [name, options, says] of [
    ['hybrid', { drop: 'lazy' }, /"hybrid" has no such option/],
    ['nexus', { drop: 'never' }, /policyOptions\.drop: must be early or lazy/],
    ['timeout', { batch: 1.5 }, /policyOptions\.batch: must be a whole number of at least 1/],
    ['timeout', { timeoutMS: 3 }, /no such option\n.*batch, timeoutMs/],
    ['aimd', { backOff: 2 }, /at most 1/],
  ] as const)
    t.throws(() => policy(name, options)(), { instanceOf: ConfigError, message: says });
});
