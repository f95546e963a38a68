import test, { type ExecutionContext } from 'ava';
import { courseOf } from '../../actors/query-router/durable/course.ts';
import { decode, encode } from '../../bus/index.ts';
import {
  BUCKETS,
  bucketName,
  deadJournal,
  resultsJournal,
  subjects,
  type DeadLetter,
  type QueryDocument,
  type Result,
} from '../../contracts/index.ts';
import { JPEG, looking, text, world, type World } from './world.ts';

const PREFIX = 'ganglion';
const watching: QueryDocument = { ...looking, name: 'watch', delivery: 'durable' };
const output = { is: 'output', output: text('home') } as const;

/** A world with a durable query, and what its journals of results and dead letters hold. */
async function durableWorld(t: ExecutionContext, queries: readonly QueryDocument[] = [watching]) {
  const w = await world(t, { queries });
  const stored: Result[] = [];
  const dead: DeadLetter[] = [];
  const follow = async ({ name, settings }: ReturnType<typeof deadJournal>, take: (message: any) => void) => {
    const journal = await w.bus.journal(name, settings);
    const reader = { name: 'test', subjects: settings.subjects, ackWaitMs: 60_000, heldMax: 100 };
    await journal.read(reader, entry => {
      take(decode(entry.data));
      entry.ack();
    });
  };
  await w.clock.settle(follow(resultsJournal(PREFIX, 'default', 'watch'), result => stored.push(result)));
  await w.clock.settle(follow(deadJournal(PREFIX), letter => dead.push(letter)));
  /** Waits for the next offer and says what becomes of it. */
  const nextOffer = async (seen: number) => {
    await w.clock.runUntilTrue(() => w.offers.length > seen);
    return w.offers.at(-1)!;
  };
  return { ...w, stored, dead, nextOffer };
}

const serve = async (w: Pick<World, 'offers' | 'grant' | 'answer' | 'clock'>, seen: number, said: object = output) => {
  await w.clock.runUntilTrue(() => w.offers.length > seen);
  const offer = w.offers.at(-1)!;
  const batch = w.grant(offer);
  await w.clock.runFor(5);
  w.answer(offer, batch, said as typeof output);
  await w.clock.runFor(5);
};

test('durable: a frame is answered once and its result stored', async t => {
  const w = await durableWorld(t);
  await w.router();
  w.frame('cam1', { seq: 5, meta: { camera: 'north' } });
  await serve(w, 0);
  t.is(w.stored.length, 1);
  const [result] = w.stored;
  t.like(result, { outcome: 'ok', seq: 5, stream: 'cam1', query: 'watch', attempt: 1, meta: { camera: 'north' } });
  t.deepEqual(w.results, w.stored, 'those who listen on the subject get it as well');
  await w.clock.runFor(60_000);
  t.is(w.offers.length, 1);
  t.is(w.stored.length, 1);
});

test('durable: frames wait for a router, and for a plan', async t => {
  const w = await durableWorld(t);
  const first = await w.router('router-1');
  await w.clock.settle(first.stop());
  w.frame('cam1', { seq: 1 });
  w.frame('cam1', { seq: 2 });
  await w.clock.runFor(30_000);
  t.is(w.offers.length, 0);
  await w.router('router-2');
  await serve(w, 1);
  const early = w.offers[0]!;
  w.answer(early, w.grant(early), output);
  await w.clock.runUntilTrue(() => w.stored.length === 2);
  t.is(new Set(w.stored.map(({ seq }) => seq)).size, 2);
  t.true(w.stored.every(({ outcome }) => outcome === 'late'));
  t.true(w.stored.every(r => r.latencyMs > 29_000));
});

test('durable: a router dies with a frame in its hands, another one answers it', async t => {
  const w = await durableWorld(t);
  const first = await w.router('router-1');
  w.frame('cam1', { seq: 9 });
  await w.nextOffer(0);
  first.kill();
  w.network.disconnect('router-1');
  await w.router('router-2');
  await serve(w, 1);
  t.is(w.stored.length, 1);
  t.like(w.stored[0], { outcome: 'late', seq: 9, attempt: 2, router: 'router-2' });
});

test('durable: what is dropped is tried again until it is answered', async t => {
  const w = await durableWorld(t);
  await w.router();
  w.frame('cam1', { seq: 1 });
  for (let tries = 0; tries < 7; tries++) {
    const seen = w.offers.length;
    w.drop(await w.nextOffer(seen === 0 ? 0 : seen), 'no-capacity');
    await w.clock.runFor(5);
  }
  t.deepEqual(w.stored, []);
  await serve(w, w.offers.length);
  t.like(w.stored, [{ outcome: 'late', attempt: 8 }]);
  t.deepEqual(w.dead, []);
});

test('durable: a stopping router gives back what it could not finish', async t => {
  const w = await durableWorld(t);
  const first = await w.router('router-1', { stopMs: 50 });
  w.frame('cam1');
  await w.nextOffer(0);
  await w.clock.settle(first.stop());
  await w.clock.runFor(5);
  await w.router('router-2');
  await serve(w, w.offers.length);
  t.like(w.stored, [{ attempt: 2, router: 'router-2' }]);
});

test('durable: a long request is not given to another router meanwhile', async t => {
  const w = await durableWorld(t, [{ ...watching, objectiveMs: 120_000 }]);
  await w.router('router-1');
  await w.router('router-2');
  w.frame('cam1');
  const offer = await w.nextOffer(0);
  await w.clock.runFor(60_000);
  t.is(new Set(w.offers.map(({ router }) => router)).size, 1);
  w.answer(offer, w.grant(offer), output);
  await w.clock.runFor(5);
  t.like(w.stored, [{ outcome: 'ok', attempt: 1 }]);
});

test('durable: a frame that is no frame ends as a dead letter with its reason', async t => {
  const w = await durableWorld(t);
  await w.router();
  w.bus.publish(subjects.frames.at(PREFIX, { tenant: 'default', stream: 'cam1' }), Uint8Array.of(1, 2, 3));
  await w.clock.runUntilTrue(() => w.dead.length === 1 && w.stored.length === 1);
  t.like(w.stored[0], { outcome: 'rejected', trouble: { reason: 'malformed' } });
  t.like(w.dead[0], { bytes: 3, subject: 'ganglion.frames.default.cam1', result: { outcome: 'rejected' } });
  t.deepEqual(new Uint8Array(w.dead[0]!.data!), Uint8Array.of(1, 2, 3));
});

test('durable: a picture that the model can not read is a dead letter at once', async t => {
  const w = await durableWorld(t);
  await w.router();
  w.frame('cam1');
  await serve(w, 0, { is: 'failed', reason: 'input', detail: 'not a JPEG' });
  t.like(w.stored, [{ outcome: 'failed', attempt: 1 }]);
  t.like(w.dead, [{ result: { outcome: 'failed', trouble: { reason: 'input' } } }]);
});

test('durable: a frame that fails again and again is given up after five attempts', async t => {
  const w = await durableWorld(t);
  await w.router();
  w.frame('cam1');
  for (let tries = 0; tries < 5; tries++)
    await serve(w, w.offers.length === 0 ? 0 : w.offers.length, { is: 'failed', reason: 'internal', detail: 'broke' });
  await w.clock.runUntilTrue(() => w.stored.length === 1 && w.dead.length === 1);
  t.like(w.stored[0], { outcome: 'failed', attempt: 5 });
  await w.clock.runFor(60_000);
  t.is(w.offers.length, 5);
});

test('durable: storage is away when the result is there: it is stored when it is back, once', async t => {
  const w = await durableWorld(t);
  await w.router();
  w.frame('cam1');
  const offer = await w.nextOffer(0);
  w.network.storageAvailable = false;
  w.answer(offer, w.grant(offer), output);
  await w.clock.runFor(40_000);
  t.deepEqual(w.stored, []);
  w.network.storageAvailable = true;
  await w.clock.runFor(40_000);
  t.is(w.stored.length, 1);
  t.is(w.stored[0]!.outcome, 'ok', 'the answer itself was in time');
});

test('durable: an interactive query of the same stream is served as ever', async t => {
  const w = await durableWorld(t, [watching, looking]);
  await w.router();
  w.frame('cam1', { seq: 3 });
  await w.clock.runUntilTrue(() => w.offers.length === 2);
  for (const offer of w.offers) w.drop(offer);
  await w.clock.runFor(5);
  t.like(w.results, [{ query: 'look', outcome: 'dropped', seq: 3 }]);
  t.false('attempt' in w.results[0]!);
});

test('durable: two routers share the frames, each gets one result', async t => {
  const w = await durableWorld(t);
  await w.router('router-1');
  await w.router('router-2');
  for (let seq = 1; seq <= 20; seq++) w.frame(`cam${seq % 3}`, { seq });
  await w.clock.runUntilTrue(() => w.offers.length === 20);
  for (const offer of w.offers.slice(0, 20)) w.answer(offer, w.grant(offer), output);
  await w.clock.runUntilTrue(() => w.stored.length === 20);
  t.is(new Set(w.stored.map(({ seq }) => seq)).size, 20);
  t.is(new Set(w.stored.map(({ router }) => router)).size, 2);
});

test('durable: with the query its stored frames go', async t => {
  const w = await durableWorld(t);
  await w.router();
  const config = await w.clock.settle(w.bus.keyValue(bucketName(PREFIX, BUCKETS.config)));
  await w.clock.settle(config.delete('queries.default.watch'));
  await w.clock.runFor(1000);
  w.frame('cam1', { seq: 1 });
  await w.clock.runFor(1000);
  await w.apply(watching);
  await w.clock.runFor(1000);
  w.frame('cam1', { seq: 2 });
  await serve(w, 0);
  await w.clock.runFor(60_000);
  t.deepEqual(
    w.stored.map(({ seq }) => seq),
    [2],
  );
});

test('durable: what is worth another attempt', t => {
  const dropped = {
    outcome: 'dropped',
    trouble: { at: 'batcher', reason: 'deadline', detail: '', retryable: true },
  } as const;
  t.deepEqual(courseOf({ outcome: 'ok' }, 1), { go: 'end' });
  t.deepEqual(courseOf({ outcome: 'late' }, 9), { go: 'end' });
  t.deepEqual(courseOf(dropped, 1), { go: 'again', inMs: 250 });
  t.deepEqual(courseOf(dropped, 1000), { go: 'again', inMs: 10_000 });
  const noAnswer = {
    outcome: 'dropped',
    trouble: { ...dropped.trouble, at: 'router', reason: 'no-capacity' },
  } as const;
  t.is(courseOf(noAnswer, 4).go, 'again');
  t.is(courseOf(noAnswer, 5).go, 'bury');
  const wrong = { outcome: 'rejected', trouble: { ...dropped.trouble, retryable: false } } as const;
  t.is(courseOf(wrong, 1).go, 'bury');
});

test('durable: a frame that its publisher repeats, having had no answer, has one result', async t => {
  const w = await durableWorld(t);
  await w.router();
  const subject = subjects.frames.at(PREFIX, { tenant: 'default', stream: 'cam1' });
  const frame = encode({ v: 1, seq: 4, picture: { encoding: 'jpeg', data: JPEG } });
  // A journal remembers ids for a while only; beyond it the same frame is stored twice.
  for (const _ of [1, 2]) {
    w.bus.publish(subject, frame, { headers: { 'Nats-Msg-Id': 'frame 4' } });
    await serve(w, w.offers.length);
    await w.clock.runFor(10 * 60_000);
  }
  t.is(w.offers.length, 2);
  t.is(w.stored.length, 1);
});

/** The server loses its power and starts with its journals as they were `since`, those that `loses` names. */
const loses = async (w: World, restore: (lost: (name: string) => boolean) => void, lost: string): Promise<void> => {
  w.network.stop();
  restore(name => name === lost);
  await w.clock.runFor(300);
  w.network.start();
  await w.clock.runFor(1000);
};

test('durable: after a power failure a frame in the place of a lost one gets a result of its own', async t => {
  const w = await durableWorld(t);
  await w.router();
  await w.clock.runFor(1000);
  const restore = w.network.storageImage();
  w.frame('cam1', { seq: 1 });
  await serve(w, 0);
  t.is(w.stored.length, 1);
  await loses(w, restore, 'ganglion-frames-default');
  w.frame('cam1', { seq: 2 });
  await serve(w, w.offers.length);
  t.deepEqual(
    w.stored.map(({ seq, outcome }) => ({ seq, outcome })),
    [
      { seq: 1, outcome: 'ok' },
      { seq: 2, outcome: 'ok' },
    ],
  );
  t.is(new Set(w.stored.map(({ request }) => request)).size, 2);
});

test('durable: a power failure that takes acknowledgements back doubles no result; one that takes a result loses it', async t => {
  const w = await durableWorld(t);
  await w.router();
  w.frame('cam1', { seq: 1 });
  await w.nextOffer(0);
  const restore = w.network.storageImage();
  await serve(w, 0);
  t.is(w.stored.length, 1);
  await loses(w, restore, 'ganglion-frames-default');
  t.true(w.offers.length > 1, 'it comes again');
  await serve(w, w.offers.length);
  const answered = w.offers.length;
  await w.clock.runFor(60_000);
  t.is(w.offers.length, answered, 'and was answered again');
  t.is(w.stored.length, 1, 'but its result was stored already');
  const before = w.network.storageImage();
  w.frame('cam1', { seq: 2 });
  await serve(w, answered);
  t.is(w.stored.length, 2);
  await loses(w, before, 'ganglion-results');
  await w.clock.runFor(60_000);
  t.is(w.offers.length, answered + 1, 'its frame was acknowledged');
});
