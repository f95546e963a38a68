import test from 'ava';
import {
  batchesSustaining,
  batchTarget,
  bestBatch,
  curveOf,
  deferred,
  eager,
  Fit,
  Lead,
} from '../../actors/prefix-batcher/policy/index.ts';
import { Stand, type StandModel } from './stand.ts';

/** ℓ(b) = b + 9: 10 ms alone, 13 ms for four. */
const model: StandModel = { name: 'm', alphaMs: 1, betaMs: 9, batchMax: 8, budgetMs: 50 };
const patient: StandModel = { ...model, prefer: 'consolidation' };
const near = (a: number, b: number): boolean => Math.abs(a - b) < 0.01;

test('policy: a batch has a window from frontrun to latest', t => {
  const stand = new Stand({ models: [patient], hosts: ['a', 'b'] });
  const [group] = stand.groups;
  stand.offer(0);
  stand.offer(1);
  const candidate = bestBatch(group!, group!.seats[0]!, 2, 1)!;
  t.is(candidate.count, 2);
  t.is(candidate.deadlineMs, 50);
  t.is(candidate.latestMs, 50 - 11);
  t.is(candidate.frontrunMs, 50 - 12);
});

test('policy: a session that prefers latency starts at once on an idle host', t => {
  const stand = new Stand({ models: [model], hosts: ['a', 'b'] });
  const id = stand.offer(0);
  t.deepEqual(
    stand.grants.map(({ host, ids, startAtMs }) => ({ host, ids, startAtMs })),
    [{ host: 'a', ids: [id], startAtMs: 0 }],
  );
});

test('policy: a session that prefers consolidation waits for its window while another host would idle', t => {
  const stand = new Stand({ models: [patient], hosts: ['a', 'b'] });
  stand.offer(0);
  stand.offer(5);
  t.deepEqual(stand.grants, []);
  t.true(near(stand.pool.wakeAtMs, 38), 'frontrun of two: 50 - ℓ(3)');
  stand.pool.settle(stand.pool.wakeAtMs);
  t.deepEqual(
    stand.grants.map(({ host, ids }) => ({ host, ids })),
    [{ host: 'a', ids: [1, 2] }],
  );
});

test('policy: nobody waits when no other host would idle', t => {
  const stand = new Stand({ models: [patient], hosts: ['a'] });
  stand.offer(0);
  t.is(stand.grants.length, 1);
});

test('policy: a full batch does not wait', t => {
  const stand = new Stand({ models: [{ ...patient, batchMax: 2 }], hosts: ['a', 'b'] });
  stand.offer(0);
  stand.offer(1);
  t.deepEqual(
    stand.grants.map(({ ids }) => ids),
    [[1, 2]],
  );
});

test('policy: deferred waits for the window even on the last idle host; eager never waits', t => {
  const waits = new Stand({ models: [model], hosts: ['a'], policy: deferred });
  waits.offer(0);
  t.deepEqual(waits.grants, []);
  waits.pool.settle(waits.pool.wakeAtMs);
  t.is(waits.grants.length, 1);
  const starts = new Stand({ models: [patient], hosts: ['a', 'b'], policy: eager });
  starts.offer(0);
  t.is(starts.grants.length, 1);
});

test('policy: a burst is considered one arrival at a time', t => {
  const stand = new Stand({ models: [model], hosts: ['a', 'b'] });
  for (let i = 0; i < 6; i++) stand.offer(0);
  t.deepEqual(
    stand.grants.map(({ ids }) => ids),
    [[1], [2]],
  );
  t.is(stand.pool.queued, 4);
});

test('policy: what has to hurry goes first, by its latest start; a long run before a short one with the same deadline', t => {
  const models = [
    { ...model, name: 'short', alphaMs: 1, betaMs: 1 },
    { ...model, name: 'long', alphaMs: 1, betaMs: 20 },
  ];
  const stand = new Stand({ models, hosts: ['a'] });
  stand.offer(0, { model: 'short' });
  stand.tell('a', 'started', 0, { freeInMs: 5 });
  stand.offer(1, { model: 'short', budgetMs: 30 });
  stand.offer(1, { model: 'long', budgetMs: 30 });
  stand.tell('a', 'finished', 5);
  t.deepEqual(
    stand.grants.map(grant => grant.model),
    ['short', 'long'],
  );
});

test('policy: of batches that have to hurry those of a group that lost something go first, though they could start later', t => {
  const firstAfter = (losses: number): string => {
    const stand = new Stand({
      models: [
        { ...model, name: 'rich' },
        { ...model, name: 'poor' },
      ],
      hosts: ['a'],
    });
    stand.offer(0, { model: 'rich' });
    stand.tell('a', 'started', 0, { freeInMs: 30 });
    for (let i = 0; i < losses; i++) stand.offer(1, { model: 'poor', budgetMs: 20 });
    t.is(stand.dropped.length, losses);
    stand.offer(1, { model: 'rich', budgetMs: 39.5 });
    stand.offer(1, { model: 'poor', budgetMs: 41 });
    stand.tell('a', 'finished', 30);
    return stand.grants[1]!.model;
  };
  t.is(firstAfter(0), 'rich');
  t.is(firstAfter(1), 'poor');
});

test('policy: of batches that have to hurry those of a group of few go first; of groups alike those that are cheap', t => {
  const firstOf = (other: Partial<StandModel>): string => {
    const models = [
      { ...model, name: 'one', rateHz: 1000 },
      { ...model, name: 'other', rateHz: 1000, ...other },
    ];
    const stand = new Stand({ models, hosts: ['a'] });
    stand.offer(0, { model: 'one' });
    stand.tell('a', 'started', 0, { freeInMs: 30 });
    stand.offer(1, { model: 'one', budgetMs: 39.5 });
    stand.offer(1, { model: 'other', budgetMs: 41 });
    stand.tell('a', 'finished', 30);
    return stand.grants[1]!.model;
  };
  t.is(firstOf({}), 'one');
  t.is(firstOf({ rateHz: 20 }), 'other');
  t.is(firstOf({ alphaMs: 0, betaMs: 10 }), 'other');
});

test('policy: what takes longer to arrive is granted earlier, but after what goes before it', t => {
  const models = [
    { ...model, name: 'urgent', leadMs: 1, budgetMs: 32 },
    { ...model, name: 'heavy', leadMs: 3, budgetMs: 500 },
  ];
  const stand = new Stand({ models, hosts: ['a'] });
  stand.offer(0, { model: 'urgent' });
  stand.tell('a', 'started', 0, { freeInMs: 20 });
  stand.offer(1, { model: 'heavy' });
  stand.offer(1, { model: 'urgent' });
  stand.pool.settle(17);
  t.is(stand.grants.length, 2, 'heavy is due, urgent goes before it');
  t.is(stand.grants[1]!.startAtMs, 20);
  t.true(near(stand.pool.wakeAtMs, 27), `heavy is due 3 ms before 30, not at ${stand.pool.wakeAtMs}`);
  stand.tell('a', 'started', 20, { freeInMs: 10 });
  stand.pool.settle(stand.pool.wakeAtMs);
  t.deepEqual(
    stand.grants.map(grant => grant.model),
    ['urgent', 'urgent', 'heavy'],
  );
  t.deepEqual(stand.dropped, []);
});

test('policy: while a short run is granted, the next batch is granted too if its payloads take longer to come than that run', t => {
  const models = [
    { ...model, name: 'short', alphaMs: 0.1, betaMs: 0.9, leadMs: 0.5, budgetMs: 40 },
    { ...model, name: 'heavy', leadMs: 6, budgetMs: 500 },
  ];
  const stand = new Stand({ models, hosts: ['a'] });
  stand.offer(0, { model: 'short' });
  stand.offer(0, { model: 'heavy' });
  t.deepEqual(
    stand.grants.map(grant => [grant.model, grant.startAtMs]),
    [
      ['short', 0.5],
      ['heavy', 6],
    ],
  );
  stand.offer(0, { model: 'short' });
  t.is(stand.grants.length, 2, 'never a third');
  const [host] = stand.hosts;
  stand.tell('a', 'started', 0.5, { batch: 'batch-1', freeInMs: 1 });
  t.deepEqual([host!.freeAtMs, host!.bookedUntilMs], [1.5, 16]);
  stand.tell('a', 'finished', 1.5, { batch: 'batch-1' });
  t.is(stand.grants.length, 2, 'heavy comes next');
  stand.tell('a', 'started', 6);
  stand.pool.settle(15.5);
  t.deepEqual([stand.grants[2]!.model, stand.grants[2]!.startAtMs], ['short', 16]);
});

test('policy: a full batch goes before one that has to hurry, where that is still in time after it', t => {
  const models = [
    { ...model, name: 'short', alphaMs: 0.1, betaMs: 0.9, batchMax: 4, budgetMs: 500 },
    { ...model, name: 'icon', budgetMs: 25 },
  ];
  const next = ({ shorts, slackMs, icons = 1 }: { shorts: number; slackMs: number; icons?: number }): string => {
    const batch = Math.min(icons, model.batchMax);
    const stand = new Stand({ models, hosts: ['a'] });
    stand.offer(0, { model: 'icon' });
    stand.tell('a', 'started', 0);
    for (let i = 0; i < shorts; i++) stand.offer(0, { model: 'short' });
    const budgetMs = 9 + model.alphaMs * batch + model.betaMs + slackMs;
    for (let i = 0; i < icons; i++) stand.offer(1, { model: 'icon', budgetMs });
    stand.tell('a', 'finished', 10);
    return stand.grants[1]!.model;
  };
  t.is(next({ shorts: 4, slackMs: 2 }), 'short');
  t.is(next({ shorts: 4, slackMs: 1 }), 'icon', 'four shorts take 1.3 ms');
  t.is(next({ shorts: 3, slackMs: 2 }), 'icon', 'three can still grow');
  t.is(next({ shorts: 4, slackMs: 2, icons: model.batchMax }), 'short');
  t.is(next({ shorts: 4, slackMs: 2, icons: model.batchMax + 1 }), 'icon', 'there is another run behind it');
});

test('policy: what is given seconds, to outlast the loss of a host, does not wait for the sake of throughput', t => {
  const first = (budgetMs: number, leftMs = budgetMs / 4, fullMs = 500): string => {
    const models = [
      { ...model, name: 'patient', budgetMs },
      { ...model, name: 'full', budgetMs: fullMs },
    ];
    const stand = new Stand({ models, hosts: ['a'] });
    stand.offer(0, { model: 'patient' });
    stand.tell('a', 'started', 0);
    stand.offer(0, { model: 'patient', budgetMs: leftMs });
    for (let i = 0; i < model.batchMax; i++) stand.offer(0, { model: 'full' });
    stand.tell('a', 'finished', 10);
    return stand.grants[1]!.model;
  };
  t.is(first(1000), 'full');
  t.is(first(4000), 'patient', 'a quarter of its time is left');
  t.is(first(4000, 3500), 'full', 'the other one has half a second');
  t.is(first(4000, 3500, 6000), 'patient', 'the other one has seconds, too');
  t.is(first(4000, 3900, 6000), 'full', 'it has just come');
});

test('policy: among batches that can wait, the one that uses the device best goes first', t => {
  const models = [
    { ...model, name: 'tight', budgetMs: 200 },
    { ...model, name: 'full', budgetMs: 220 },
  ];
  const stand = new Stand({ models, hosts: ['a'] });
  stand.offer(0, { model: 'tight' });
  stand.tell('a', 'started', 0);
  stand.offer(1, { model: 'tight' });
  for (let i = 0; i < 8; i++) stand.offer(1, { model: 'full' });
  stand.tell('a', 'finished', 10);
  t.deepEqual(
    stand.grants.map(grant => [grant.model, grant.ids.length]),
    [
      ['tight', 1],
      ['full', 8],
    ],
  );
});

test('policy: a batch goes only to a host that holds its model', t => {
  const models = [
    { ...model, name: 'x', on: ['a'] },
    { ...model, name: 'y', on: ['b'] },
  ];
  const stand = new Stand({ models, hosts: ['a', 'b'] });
  for (const name of ['y', 'y', 'x', 'x']) stand.offer(0, { model: name });
  t.deepEqual(
    stand.grants.map(grant => [grant.model, grant.host]),
    [
      ['y', 'b'],
      ['x', 'a'],
    ],
  );
});

test('policy: nothing is granted behind a batch that lasts longer than payloads take to come, nor behind one that is late', t => {
  const stand = new Stand({ models: [model], hosts: ['a'], leadMs: 3 });
  stand.offer(0);
  stand.offer(0);
  t.is(stand.grants.length, 1, 'the first has not started');
  stand.tell('a', 'started', 3);
  t.is(stand.grants.length, 1, 'more than the lead before the device is free');
  t.true(near(stand.pool.wakeAtMs, 10), 'ends at 13, less the lead of 3');
  stand.pool.settle(10);
  t.is(stand.grants.length, 2);
  t.is(stand.grants[1]!.startAtMs, 13);
  stand.offer(11);
  stand.pool.settle(40);
  t.is(stand.grants.length, 2, 'the second has not started');
});

test('policy: late binding takes those that came while the device was busy', t => {
  const stand = new Stand({ models: [model], hosts: ['a'] });
  stand.offer(0);
  stand.tell('a', 'started', 0);
  for (const atMs of [1, 2, 3, 4]) stand.offer(atMs);
  stand.tell('a', 'finished', 10);
  t.deepEqual(stand.grants.at(-1)!.ids, [2, 3, 4, 5]);
  t.is(stand.grants.at(-1)!.latestAtMs, 51 - 13);
});

test('policy: what no host can run in time is dropped, and nothing sooner', t => {
  const stand = new Stand({ models: [model], hosts: ['a'] });
  stand.offer(0);
  stand.tell('a', 'started', 0);
  const [hopeless, tight] = [stand.offer(1, { budgetMs: 18.9 }), stand.offer(1, { budgetMs: 19.1 })];
  t.deepEqual(stand.dropped, [hopeless], 'the device is free at 10 and takes 10');
  stand.tell('a', 'finished', 10);
  t.deepEqual(stand.grants.at(-1)!.ids, [tight]);
});

test('policy: a batch that the load needs passes over one that is too urgent for it; another host still takes that', t => {
  const busy = { ...model, alphaMs: 0.5, betaMs: 9.5, batchMax: 16, rateHz: 1500 };
  const stand = new Stand({ models: [busy, { ...model, name: 'other' }], hosts: ['a', 'b'] });
  for (const host of ['a', 'b']) {
    stand.offer(0);
    stand.tell(host, 'started', 0);
  }
  const urgent = stand.offer(1, { budgetMs: 19.2 });
  for (let i = 0; i < 15; i++) stand.offer(1);
  t.true(stand.groups[0]!.batchSustain > 5);
  stand.tell('a', 'finished', 10);
  const [, , large, small] = stand.grants;
  t.is(large!.ids.length, 15);
  t.false(large!.ids.includes(urgent));
  t.deepEqual([small!.host, small!.ids], ['b', [urgent]]);
  t.deepEqual(stand.dropped, []);
});

test('policy: a group alone in a pool that is pressed waits for the batch that its load needs, where hosts take turns', t => {
  const pressed = { ...model, rateHz: 600 };
  const stand = new Stand({ models: [pressed], hosts: ['a', 'b'] });
  const need = stand.groups[0]!;
  stand.offer(0);
  t.true(need.batchSustain > 1);
  t.deepEqual(stand.grants, []);
  while (stand.grants.length === 0 && stand.pool.queued < 8) stand.offer(1);
  t.is(stand.grants[0]!.ids.length, need.batchSustain);
  const shared = new Stand({ models: [pressed, { ...model, name: 'other' }], hosts: ['a', 'b'] });
  shared.offer(0);
  t.is(shared.grants.length, 1, 'beside others it starts at once');
  const single = new Stand({ models: [{ ...pressed, rateHz: 300 }], hosts: ['a'] });
  single.offer(0);
  t.is(single.grants.length, 1, 'a single host would only idle');
});

test('policy: without a usable host invocations wait until the quickest run would be too late', t => {
  const stand = new Stand({ models: [model], hosts: ['a'] });
  stand.beat('a', 0, { state: 'starting' });
  const id = stand.offer(0);
  t.true(near(stand.pool.wakeAtMs, 40));
  stand.pool.settle(39.9);
  t.deepEqual(stand.dropped, []);
  stand.pool.settle(stand.pool.wakeAtMs);
  t.deepEqual(stand.dropped, [id]);
});

test('policy: a host that becomes usable takes what waited for one', t => {
  const stand = new Stand({ models: [model], hosts: ['a'] });
  stand.beat('a', 0, { residents: [] });
  stand.offer(0);
  stand.beat('a', 20);
  stand.pool.settle(20);
  t.is(stand.grants.length, 1);
});

test('policy: a quicker host further away in time wins over a slow one when it ends first', t => {
  const stand = new Stand({ models: [model], hosts: ['slow', 'quick'], leadMs: 4 });
  const [slow, quick] = stand.groups[0]!.seats;
  for (let i = 0; i < 40; i++) slow!.lessons.fit.observe(10, 30);
  stand.offer(0);
  t.is(stand.grants[0]!.host, 'quick');
  t.true(slow!.latencyMs(1) > 2.5 * quick!.latencyMs(1));
});

test('host: without a sign of life for 3 s it gets nothing', t => {
  const stand = new Stand({ models: [model], hosts: ['a'] });
  stand.offer(3001);
  t.deepEqual(stand.grants, []);
  stand.beat('a', 3010);
  stand.pool.settle(3010);
  t.is(stand.grants.length, 1);
});

test('host: one that does not start a batch within 1 s gets no more until it gives a sign of life', t => {
  const stand = new Stand({ models: [{ ...model, budgetMs: 5000 }], hosts: ['a'] });
  stand.offer(0);
  stand.offer(10);
  stand.beat('a', 900);
  stand.pool.settle(1100);
  t.is(stand.grants.length, 1);
  stand.beat('a', 1900);
  stand.pool.settle(1900);
  t.is(stand.grants.length, 2, 'it has no backlog: the outline was lost');
});

test('host: one that is late but has work keeps its booking', t => {
  const stand = new Stand({ models: [{ ...model, budgetMs: 5000 }], hosts: ['a'] });
  stand.offer(0);
  stand.offer(10);
  stand.beat('a', 1900, { backlog: 1, freeInMs: 300 });
  stand.pool.settle(1900);
  t.is(stand.grants.length, 1);
  stand.tell('a', 'started', 2000);
  stand.tell('a', 'finished', 2010);
  t.is(stand.grants.length, 2);
});

test('host: after a refusal its model counts as absent until the next beat', t => {
  const stand = new Stand({ models: [model], hosts: ['a'] });
  stand.offer(0);
  stand.tell('a', 'refused', 1);
  stand.offer(2);
  t.is(stand.grants.length, 1);
  stand.beat('a', 3);
  stand.pool.settle(3);
  t.is(stand.grants.length, 2);
});

test('host: a restart forgets what it was granted', t => {
  const stand = new Stand({ models: [model], hosts: ['a'] });
  stand.offer(0);
  stand.offer(0);
  stand.beat('a', 5, { incarnation: 'b' });
  stand.pool.settle(5);
  t.is(stand.grants.length, 2);
});

test('host: a lost "started" is made up for by "finished"', t => {
  const stand = new Stand({ models: [model], hosts: ['a'] });
  stand.offer(0);
  stand.offer(0);
  stand.tell('a', 'finished', 10);
  t.is(stand.grants.length, 2);
});

test('host: a lost "finished" is made up for by beats, however often they come', t => {
  const stand = new Stand({ models: [model], hosts: ['a'] });
  stand.offer(0, { alone: true, budgetMs: 5000 });
  stand.tell('a', 'started', 0);
  stand.offer(1, { budgetMs: 5000 });
  for (let atMs = 100; atMs <= 2000; atMs += 100) {
    stand.beat('a', atMs, { backlog: 0 });
    stand.pool.settle(atMs);
  }
  t.is(stand.grants.length, 2, 'what ran alone keeps nobody out any more');
});

test('curve: straight lines between the points, carried on beyond, never falling', t => {
  const point = { stdMs: 0, p99Ms: 0, ephemeralBytes: 0, repeats: 1 };
  const points = [
    { ...point, batch: 4, meanMs: 10, p99Ms: 13 },
    { ...point, batch: 1, meanMs: 4, stdMs: 1 },
    { ...point, batch: 8, meanMs: 9 },
  ];
  const { meanMs, tailMs } = curveOf({ points }, 10);
  t.deepEqual(Array.from(meanMs).slice(1), [4, 6, 8, 10, 10, 10, 10, 10, 10, 10]);
  t.is(tailMs[1], 2.33);
  t.is(tailMs[4], 3);
});

test('target: staggered hosts allow (1 + 1/n)·ℓ(b) ≤ L, a part of one ℓ(b) + (b-1)/r ≤ L', t => {
  const latencyMs = (b: number): number => 1.082 * b + 5.204;
  const target = (rateHz: number, budgetMs: number): number =>
    batchTarget({ rateHz, budgetMs, batchMax: 128, latencyMs });
  t.is(target(8 * 815, 50), 36, 'n = 8, SLO 50 ms');
  t.is(target(8 * 700, 25), 15, 'n = 8, SLO 25 ms');
  t.is(target(0, 50), 18, 'no rate: 2ℓ(b) ≤ L');
  t.is(target(100, 50), 4, '1.082b + 5.204 + (b-1)·10 ≤ 50');
  t.is(target(1000, 1), 1, 'nothing fits');
});

test('target: the smallest batches that sustain the load', t => {
  const demand = { rateHz: 500, budgetMs: 50, batchMax: 64, latencyMs: (b: number): number => b + 9 };
  t.deepEqual(batchesSustaining([demand], [30], 5), [1], '500/s · 10 ms = 5 devices');
  const [batch] = batchesSustaining([demand], [30], 1);
  t.is(batch, 9, '500/s · 18 ms / 9 = 1 device');
  const [large, other] = batchesSustaining([demand, demand], [30, 20], 0.5);
  t.true(large! > 25 && other! > 17, 'nothing sustains it');
  const flat = { ...demand, latencyMs: (b: number): number => 20 * b };
  t.deepEqual(batchesSustaining([flat], [4], 1), [1], 'batching gains nothing');
});

test('margin: comes from the profile, then from what is observed, and is never less than the least', t => {
  const fit = new Fit();
  t.is(fit.latencyMs(10, 2, 1), 12);
  for (let i = 0; i < 40; i++) fit.observe(10, 10);
  t.is(fit.latencyMs(10, 2, 1), 11, 'steady: the least margin');
  t.is(fit.latencyMs(10, 2, 0), 10);
  fit.observe(10, 60);
  t.true(fit.latencyMs(10, 2, 1) < 13, 'deaf to one outlier');
});

test('margin: a host that is slower than its profile is believed, and given another chance after a silence', t => {
  const fit = new Fit();
  for (let i = 0; i < 60; i++) fit.observe(10, 15);
  t.true(near(fit.expectedMs(10), 15));
  for (let i = 0; i < 30; i++) fit.relax();
  t.true(fit.expectedMs(10) < 10.5);
});

test('lead: grows with size at first, is learned quickly upwards, and a bad start does not last', t => {
  const lead = new Lead({ ways: { transitMs: 0 }, fixedMs: 1, bytesPerMs: 100, perItemMs: 0.5, maxMs: 50 });
  t.is(lead.leadMs(2, 200), 4);
  t.true(lead.leadMs(1, 1e9) <= 50);
  for (let i = 0; i < 10; i++) lead.observe(2, 200, 8);
  t.true(lead.leadMs(2, 200) > 7.5);
  for (let i = 0; i < 20; i++) lead.relax();
  t.true(near(lead.leadMs(2, 200), 4));
  const late = new Lead({ ways: { transitMs: 1 }, fixedMs: 1, bytesPerMs: 100, perItemMs: 0, maxMs: 50 });
  for (let i = 0; i < 200; i++) late.observe(1, 0, 0);
  t.true(late.leadMs(1, 0) >= 1, 'what the host can not see is not forgotten');
});

test('policy: what a host runs one by one takes as long in one batch, and a host is granted its share of what waits', t => {
  const points = [1, 4].map(batch => ({ batch, meanMs: 10 * batch ** 1.3, stdMs: 0, p99Ms: 10 * batch ** 1.3 }));
  const curve = curveOf({ points: points.map(point => ({ ...point, ephemeralBytes: 0, repeats: 1 })) }, 4, 1);
  t.deepEqual([...curve.meanMs], [0, 10, 20, 30, 40]);
  const single: StandModel = { name: 'm', alphaMs: 1, betaMs: 9, batchMax: 8, runMax: 1, budgetMs: 500 };
  const sizes = (hosts: readonly string[]): number[] => {
    const stand = new Stand({ models: [single], hosts });
    for (let i = 0; i < 2 + hosts.length * 3; i++) stand.offer(0);
    for (const host of hosts) stand.tell(host, 'started', 0);
    for (const host of hosts) stand.tell(host, 'finished', 10);
    return stand.grants.map(({ ids }) => ids.length);
  };
  t.deepEqual(sizes(['a']), [1, 4]);
  t.deepEqual(sizes(['a', 'b']), [1, 1, 3, 3]);
});
