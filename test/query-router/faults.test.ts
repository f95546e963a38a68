import test from 'ava';
import { boxes, JPEG, looking, plainImaging, reading, text, world } from './world.ts';
import { InputError } from '../../contracts/index.ts';

test('router: what the batcher drops ends dropped, and its siblings are withdrawn', async t => {
  const { clock, router, frame, offers, withdrawn, results, grant, answer, drop } = await world(t, {
    queries: [reading],
  });
  const { state } = await router();
  frame('cam-1');
  await clock.runFor(1);
  answer(offers[0]!, grant(offers[0]!), boxes([0, 0, 4, 4, 1], [9, 9, 4, 4, 1], [5, 5, 4, 4, 1]));
  await clock.runFor(1);
  grant(offers[1]!);
  drop(offers[2]!);
  await clock.runFor(1);
  t.like(results, [
    { outcome: 'dropped', trouble: { at: 'batcher', reason: 'deadline', stage: 'read', retryable: true } },
  ]);
  t.is(results[0]!.stages['detect']!.length, 1, 'what was computed is told');
  t.deepEqual(new Set(withdrawn), new Set([offers[2]!.id, offers[3]!.id]));
  t.is(state.heldBytes, 0);
});

test('router: a stage that only its budget keeps from being served borrows once what later stages can spare', async t => {
  const { clock, router, frame, offers, results, drop } = await world(t, { queries: [reading] });
  await router();
  frame('cam-1');
  await clock.runFor(1);
  drop(offers[0]!, 'budget');
  await clock.runFor(1);
  t.deepEqual(
    offers.map(({ budgetMs }) => Math.round(budgetMs)),
    [200, 299],
    'half of the reserve of 200 ms is needed',
  );
  drop(offers[1]!, 'budget');
  await clock.runFor(1);
  t.like(results, [{ outcome: 'dropped', trouble: { at: 'batcher', reason: 'deadline', stage: 'detect' } }]);
  t.is(offers.length, 2);
});

test('router: the last stage has nothing to borrow, nor has any where that is switched off', async t => {
  const { clock, router, frame, offers, results, drop } = await world(t, { queries: [looking, reading] });
  await router('router-1', { borrow: false });
  frame('cam-1');
  await clock.runFor(1);
  for (const offer of offers) drop(offer, 'budget');
  await clock.runFor(1);
  t.deepEqual(
    results.map(({ query, outcome }) => [query, outcome]),
    [
      ['look', 'dropped'],
      ['read', 'dropped'],
    ],
  );
  t.is(offers.length, 2);
});

test('router: offers that nobody answers are repeated, and dropped at the deadline', async t => {
  const { clock, router, frame, offers, results } = await world(t);
  await router();
  frame('cam-1');
  await clock.runFor(300);
  t.deepEqual(
    offers.map(({ atMs }) => Math.round(atMs - offers[0]!.atMs)),
    [0, 50, 100, 150],
  );
  t.deepEqual(
    offers.map(({ budgetMs }) => Math.round(budgetMs)),
    [200, 150, 100, 50],
  );
  t.like(results, [
    { outcome: 'dropped', latencyMs: 200, trouble: { at: 'router', reason: 'deadline', stage: 'look' } },
  ]);
  t.regex(results[0]!.trouble!.detail, /offered to pool-0 and not granted/);
});

test('router: a refused offer stays and is offered again', async t => {
  const { clock, router, frame, offers, results, refuse, grant, answer } = await world(t);
  await router();
  frame('cam-1');
  await clock.runFor(1);
  refuse(offers[0]!);
  await clock.runFor(60);
  t.is(offers.length, 2);
  answer(offers[1]!, grant(offers[1]!), text('x'));
  await clock.runFor(1);
  t.is(results[0]!.outcome, 'ok');
});

test('router: a batcher that was started again is offered what waits in its pools, at once and once', async t => {
  const { clock, router, frame, offers, batcherBeat } = await world(t, {
    queries: [{ ...looking, objectiveMs: 10_000 }],
  });
  await router();
  const beats = async (incarnation: string, more: object = {}): Promise<number> => {
    const before = offers.length;
    batcherBeat('batcher-1', { incarnation, ...more });
    await clock.runFor(1);
    return offers.length - before;
  };
  await beats('one');
  frame('cam-1');
  await clock.runFor(1);
  t.is(offers.length, 1);
  t.is(await beats('one'), 0, 'it has the offer');
  t.is(await beats('one', { leaving: true }), 0, 'nobody is there to take it');
  t.is(await beats('two', { pools: [], epoch: 0 }), 0, 'it has not read the plan yet');
  t.is(await beats('two'), 1);
  t.is(await beats('two'), 0);
});

test('router: a host that refuses the batch costs nothing but time', async t => {
  const { clock, router, frame, offers, results, grant, answer } = await world(t);
  await router();
  frame('cam-1');
  await clock.runFor(1);
  answer(offers[0]!, grant(offers[0]!), { is: 'refused', reason: 'leaving' });
  await clock.runFor(1);
  t.is(offers.length, 2);
  answer(offers[1]!, grant(offers[1]!, 'gpu-b'), text('x'), { host: 'gpu-b' });
  await clock.runFor(1);
  t.like(results[0], { outcome: 'ok' });
  t.is(results[0]!.stages['look']![0]!.host, 'gpu-b');
});

for (const [how, beat] of [
  ['falls silent', undefined],
  ['says that it failed', { state: 'failed' }],
  ['is restarted', { incarnation: 'another' }],
] as const)
  test(`router: a host that ${how} loses what it was granted, and another answers it`, async t => {
    const slow = { ...looking, objectiveMs: 10_000 };
    const { clock, router, frame, offers, sent, results, beats, hostBeat, grant, answer } = await world(t, {
      queries: [slow],
    });
    await router();
    hostBeat('gpu-a');
    await clock.runFor(1);
    frame('cam-1');
    await clock.runFor(1);
    const lost = grant(offers[0]!, 'gpu-a', 5000);
    await clock.runFor(1);
    if (beat) hostBeat('gpu-a', beat);
    await clock.runFor(beat ? 1 : 3300);
    t.is(offers.length, 2);
    const batch = grant(offers[1]!, 'gpu-b', 5000);
    await clock.runFor(1);
    t.like(sent[1], { host: 'gpu-b', absent: [] });
    answer(offers[1]!, batch, text('b'), { host: 'gpu-b' });
    answer(offers[1]!, lost, text('a'));
    await clock.runFor(1100);
    t.is(results.length, 1);
    t.is(results[0]!.stages['look']![0]!.host, 'gpu-b');
    t.like(beats.at(-1), { duplicates: 1, reoffers: 1 });
  });

test('router: time that a lost host cost is borne by all stages in proportion', async t => {
  const { clock, router, frame, offers, grant } = await world(t, { queries: [reading] });
  await router();
  frame('cam-1');
  await clock.runFor(1);
  grant(offers[0]!, 'gpu-a', 100);
  await clock.runFor(302);
  t.is(offers.length, 2);
  const leftMs = 400 - (offers[1]!.atMs - offers[0]!.atMs);
  t.true(leftMs < 100, 'less than the second stage was promised');
  t.is(offers[1]!.budgetMs, leftMs / 2);
});

test('router: an answer that does not come is given up after three grants', async t => {
  const slow = { ...looking, objectiveMs: 60_000 };
  const { clock, router, frame, offers, results, grant } = await world(t, { queries: [slow] });
  await router();
  frame('cam-1');
  await clock.runFor(1);
  for (let i = 0; i < 3; i++) {
    t.is(offers.length, i + 1);
    grant(offers[i]!, 'gpu-a', 20);
    await clock.runFor(145);
  }
  t.like(results, [{ outcome: 'dropped', trouble: { at: 'router', reason: 'no-capacity' } }]);
  t.regex(results[0]!.trouble!.detail, /granted 3 times and no host gave an answer/);
});

test('router: the first answer wins, a second is counted', async t => {
  const { clock, router, frame, offers, results, beats, grant, answer } = await world(t);
  await router();
  frame('cam-1');
  await clock.runFor(1);
  const batch = grant(offers[0]!);
  answer(offers[0]!, batch, text('first'));
  answer(offers[0]!, batch, text('second'));
  await clock.runFor(1100);
  t.is(results.length, 1);
  t.deepEqual(results[0]!.stages['look']![0]!.output, text('first'));
  t.is(beats.at(-1)!.duplicates, 1);
});

test('router: a grant for what it no longer holds is told as absent', async t => {
  const { clock, router, frame, offers, sent, grant } = await world(t);
  await router();
  frame('cam-1');
  await clock.runFor(250);
  grant(offers[0]!);
  await clock.runFor(1);
  t.like(sent, [{ ids: [], absent: [offers[0]!.id] }]);
});

test('router: a drop of a repeated offer does not take it from the host that has it', async t => {
  const { clock, router, frame, offers, results, grant, drop, answer } = await world(t);
  await router();
  frame('cam-1');
  await clock.runFor(1);
  const batch = grant(offers[0]!);
  drop(offers[0]!);
  answer(offers[0]!, batch, text('x'));
  await clock.runFor(1);
  t.is(results[0]!.outcome, 'ok');
});

test('router: an answer after the deadline ends the request late', async t => {
  const { clock, router, frame, offers, results, grant, answer } = await world(t);
  await router();
  frame('cam-1');
  await clock.runFor(190);
  const batch = grant(offers[0]!, 'gpu-a', 10);
  await clock.runFor(50);
  t.deepEqual(results, [], 'it was granted in time: worth waiting for');
  answer(offers[0]!, batch, text('x'));
  await clock.runFor(1);
  t.like(results, [{ outcome: 'late', latencyMs: 240 }]);
});

test('router: an answer that is still missing long after the deadline is a drop', async t => {
  const { clock, router, frame, offers, results, grant } = await world(t);
  await router();
  frame('cam-1');
  await clock.runFor(190);
  grant(offers[0]!, 'gpu-a', 10);
  await clock.runFor(115);
  t.is(results.length, 0);
  await clock.runFor(10);
  t.like(results, [{ outcome: 'dropped', trouble: { at: 'router', reason: 'deadline' } }]);
  t.regex(results[0]!.trouble!.detail, /host gpu-a did not answer/);
});

test('router: a model that fails fails the request', async t => {
  const { clock, router, frame, offers, results, grant, answer } = await world(t);
  await router();
  frame('cam-1');
  await clock.runFor(1);
  answer(offers[0]!, grant(offers[0]!), { is: 'failed', reason: 'input', detail: 'the jpeg is truncated' });
  await clock.runFor(1);
  t.like(results, [{ outcome: 'failed', trouble: { at: 'host', reason: 'input', retryable: false, stage: 'look' } }]);
  t.regex(results[0]!.trouble!.detail, /stage look failed on host gpu-a: the jpeg is truncated/);
});

test('router: a picture that can not be cut, and a stage without boxes, fail with a reason', async t => {
  const imaging = {
    ...plainImaging().imaging,
    crop: () => Promise.reject(new InputError("the jpeg can't be decoded")),
  };
  const { clock, router, frame, offers, results, grant, answer } = await world(t, { imaging, queries: [reading] });
  const { state } = await router();
  frame('cam-1');
  frame('cam-1');
  await clock.runFor(1);
  answer(offers[0]!, grant(offers[0]!), boxes([0, 0, 4, 4, 1]));
  answer(offers[1]!, grant(offers[1]!), text('no boxes'));
  await clock.runFor(1);
  t.like(
    results.map(({ trouble }) => trouble),
    [
      { at: 'router', reason: 'model', stage: 'read' },
      { at: 'router', reason: 'input', stage: 'read' },
    ],
  );
  t.is(state.heldBytes, 0);
});

test('router: pieces beyond the memory bound drop the request and free everything', async t => {
  const { clock, router, frame, offers, results, grant, answer } = await world(t, { queries: [reading] });
  const { state } = await router('router-1', { heldBytesMax: JPEG.length + 100 });
  frame('cam-1');
  await clock.runFor(1);
  answer(offers[0]!, grant(offers[0]!), boxes([0, 0, 5, 5, 1], [9, 9, 5, 5, 1]));
  await clock.runFor(1);
  t.like(results, [{ outcome: 'dropped', trouble: { at: 'router', reason: 'no-capacity' } }]);
  t.is(state.heldBytes, 0);
});

test('router: asked to stop it takes no more, finishes what it can, and ends the rest', async t => {
  const { clock, router, frame, offers, results, withdrawn, grant, answer, ask } = await world(t, {
    queries: [{ ...looking, objectiveMs: 60_000 }],
  });
  const running = await router();
  frame('cam-1', { seq: 1 });
  frame('cam-1', { seq: 2 });
  const asking = ask('look');
  await clock.runFor(1);
  const batch = grant(offers[0]!, 'gpu-a', 2000);
  const stopped = running.stop();
  await clock.runFor(1);
  frame('cam-1', { seq: 3 });
  answer(offers[0]!, batch, text('x'));
  await clock.runFor(1000);
  t.like(results, [{ seq: 1, outcome: 'ok' }]);
  await clock.settle(stopped);
  await clock.runFor(1);
  t.like(results, [{ seq: 1 }, { seq: 2, outcome: 'dropped', trouble: { at: 'router', reason: 'shutdown' } }]);
  t.is(results.length, 2);
  t.is((await clock.settle(asking)).trouble!.reason, 'shutdown');
  t.is(withdrawn.length, 2);
  t.is(running.state.heldBytes, 0);
});

test('router: results wait while the bus is away, and what is unanswered is offered again when it is back', async t => {
  const { clock, network, router, frame, offers, results, grant, answer } = await world(t, {
    queries: [
      { ...looking, name: 'quick', streams: ['cam-1'], objectiveMs: 100 },
      { ...looking, objectiveMs: 5000, streams: ['cam-2'] },
    ],
  });
  await router();
  frame('cam-1');
  frame('cam-2');
  await clock.runFor(1);
  grant(offers[1]!, 'gpu-a', 2000);
  await clock.runFor(1);
  network.disconnect('router-1');
  await clock.runFor(500);
  t.deepEqual(results, []);
  network.reconnect('router-1');
  await clock.runFor(1);
  t.like(results, [{ query: 'quick', outcome: 'dropped' }]);
  const again = offers.at(-1)!;
  t.is(again.id, offers[1]!.id);
  answer(again, grant(again), text('x'));
  await clock.runFor(1);
  t.is(results[1]!.outcome, 'ok');
});

test('router: a frame that is too old to be answered in time is dropped at once', async t => {
  const { clock, router, frame, offers, results } = await world(t);
  await router();
  frame('cam-1', { ageMs: 250 });
  await clock.runFor(1);
  t.is(offers.length, 0);
  t.like(results, [{ outcome: 'dropped', latencyMs: 250, trouble: { reason: 'deadline' } }]);
});
