import test from 'ava';
import { encode } from '../../bus/index.ts';
import { BUCKETS } from '../../contracts/index.ts';
import { JPEG, looking, planFor, reading, text, world } from './world.ts';

test('router: a query that nobody applied is refused by name', async t => {
  const { clock, router, ask } = await world(t);
  await router();
  const { outcome, trouble, query } = await clock.settle(ask('nonsense'));
  t.is(outcome, 'rejected');
  t.is(query, 'nonsense');
  t.like(trouble, { at: 'door', reason: 'unknown-query', retryable: false });
  t.regex(trouble!.detail, /no query nonsense/);
});

test("router: a query that the plan can not serve is refused with the plan's reason", async t => {
  const { clock, router, ask, frame, plan, results } = await world(t, { planned: false });
  await router();
  const early = await clock.settle(ask('look'));
  t.like(early.trouble, { reason: 'not-serving', retryable: true });
  t.regex(early.trouble!.detail, /no plan yet/);
  plan(planFor([], { refused: [{ tenant: 'default', query: 'look', reason: 'looker needs 9 GB' }] }));
  await clock.runFor(1);
  frame('cam-1', { seq: 5 });
  await clock.runFor(1);
  t.like(results, [{ outcome: 'rejected', seq: 5, stream: 'cam-1', trouble: { reason: 'not-serving' } }]);
  t.regex(results[0]!.trouble!.detail, /looker needs 9 GB/);
});

test('router: without a stored plan it asks the allocator, and takes later ones', async t => {
  const { clock, router, bus, offers, frame } = await world(t, { planned: false });
  bus.subscribe('ganglion.control.plan', message => void message.respond(encode({ v: 1, plan: planFor([looking]) })));
  await router();
  frame('cam-1');
  await clock.runFor(1);
  t.is(offers.length, 1);
});

test('router: a message that is no frame gives each reader of the stream a rejected result', async t => {
  const { clock, router, bus, results } = await world(t, { queries: [looking, reading] });
  await router();
  const send = (data: Uint8Array, stream = 'cam-1') => bus.publish(`ganglion.frames.default.${stream}`, data);
  send(Uint8Array.of(0xc1, 1, 2));
  send(encode({ v: 2, seq: 1 }));
  send(encode({ v: 1, seq: -1, picture: { encoding: 'jpeg', data: JPEG } }));
  send(encode({ v: 1, seq: 3, picture: { encoding: 'rgb', width: 2, height: 2, data: JPEG } }));
  send(encode('nobody reads this stream'), 'other');
  await clock.runFor(1);
  t.deepEqual(
    results.map(({ query, outcome, trouble }) => `${query} ${outcome} ${trouble!.reason}`),
    ['malformed', 'unsupported-version', 'malformed', 'malformed'].flatMap(reason => [
      `look rejected ${reason}`,
      `read rejected ${reason}`,
    ]),
  );
  t.regex(results[4]!.trouble!.detail, /\/seq/);
  t.regex(results[6]!.trouble!.detail, /2×2 has 12 bytes, got 8/);
});

test('router: a malformed one-off request is answered with a rejected result', async t => {
  const { clock, router, ask } = await world(t, { queries: [looking, reading] });
  await router();
  t.like(await clock.settle(ask('look', encode({ v: 1 }))), { outcome: 'rejected', trouble: { reason: 'malformed' } });
  t.like(await clock.settle(ask('none', encode({ v: 1 }))), { outcome: 'rejected', query: 'none' });
  const payload = { encoding: 'tensors', tensors: { x: { type: 'uint8', dims: [1], data: JPEG } } } as const;
  const cutting = await clock.settle(ask('read', encode({ v: 1, payload })));
  t.like(cutting.trouble, { reason: 'malformed' });
  t.regex(cutting.trouble!.detail, /cuts boxes out of a picture/);
});

test('router: bare pictures are frames and requests too', async t => {
  const { clock, router, bus, offers, results, grant, answer } = await world(t);
  await router();
  bus.publish('ganglion.frames.default.cam-1', JPEG, { headers: { seq: '12' } });
  await clock.runFor(1);
  answer(offers[0]!, grant(offers[0]!), text('x'));
  await clock.runFor(1);
  t.like(results, [{ outcome: 'ok', seq: 12 }]);
});

test('router: what would not fit a message to a host is too large', async t => {
  const { clock, router, frame, results } = await world(t, { maxPayloadBytes: 64 * 1024 });
  const { state } = await router();
  frame('cam-1', { picture: { encoding: 'jpeg', data: new Uint8Array(64 * 1024 - 200) } });
  await clock.runFor(1);
  t.like(results, [{ outcome: 'rejected', trouble: { reason: 'too-large', retryable: false } }]);
  t.is(state.heldBytes, 0);
});

test('router: beyond its bounds it rejects, and takes again when there is room', async t => {
  const { clock, router, frame, offers, results, grant, answer } = await world(t);
  const { state } = await router('router-1', { inFlightMax: 10, heldBytesMax: 2 * JPEG.length });
  for (let seq = 0; seq < 3; seq++) frame('cam-1', { seq });
  await clock.runFor(1);
  t.is(state.heldBytes, 2 * JPEG.length);
  t.like(results, [{ seq: 2, outcome: 'rejected', trouble: { reason: 'overloaded', retryable: true } }]);
  answer(offers[0]!, grant(offers[0]!), text('x'));
  await clock.runFor(1);
  frame('cam-1', { seq: 3 });
  await clock.runFor(1);
  t.is(offers.length, 3);
});

test('router: queries come, change and go while it runs; a broken one says why it does not run', async t => {
  const { clock, router, apply, put, ask, frame, offers, plan, bus } = await world(t, { queries: [] });
  await router();
  await apply(looking);
  plan(planFor([looking], { epoch: 2 }));
  await clock.runFor(1);
  frame('cam-1');
  await clock.runFor(1);
  t.is(offers.length, 1);
  await put(BUCKETS.config, 'queries.default.look', { ...looking, stages: { a: { model: 'm', from: 'b' } } });
  await clock.runFor(1);
  const { trouble } = await clock.settle(ask('look'));
  t.is(trouble!.reason, 'not-serving');
  t.regex(trouble!.detail, /stages\.a\.from: reads stage "b"/);
  const config = await clock.settle(bus.keyValue('ganglion-config'));
  await clock.settle(config.delete('queries.default.look'));
  await clock.runFor(1);
  t.is((await clock.settle(ask('look'))).trouble!.reason, 'unknown-query');
});

test('router: starts without storage, and serves once it is back', async t => {
  const { clock, network, router, ask, plan } = await world(t);
  network.storageAvailable = false;
  await router();
  t.is((await clock.settle(ask('look'))).trouble!.reason, 'unknown-query');
  network.storageAvailable = true;
  plan(planFor([looking]));
  await clock.runFor(1500);
  t.is((await clock.settle(ask('look'))).trouble!.reason, 'deadline');
});
