import test from 'ava';
import fc from 'fast-check';
import { seededRandom, type Answer, type Outcome, type Picture, type QueryDocument } from '../../contracts/index.ts';
import { QueryMeter } from '../../actors/query-router/meter.ts';
import { compileQuery, type Query } from '../../actors/query-router/query.ts';
import * as life from '../../actors/query-router/request.ts';
import type { CutJob, Effects, Invocation, Request, SizeJob } from '../../actors/query-router/lives.ts';

const document: QueryDocument = {
  kind: 'Query',
  name: 'q',
  objectiveMs: 1000,
  stages: {
    a: { model: 'a' },
    b: { model: 'b', from: 'a', fanoutMax: 2 },
    c: { model: 'c', from: 'a', fanoutMax: 2 },
    d: { model: 'd', from: 'b', whole: true },
  },
};
const regions = [{ x: 0, y: 0, width: 1, height: 1 }];
const placed = compileQuery('default', 'q', {
  ...document,
  stages: { a: { model: 'a' }, b: { model: 'b', from: 'a', regions }, c: { model: 'c', from: 'b', whole: true } },
});
const query = compileQuery('default', 'q', document);
const single = compileQuery('default', 'q', { ...document, stages: { a: { model: 'a' } } });
const pair = compileQuery('default', 'q', { ...document, stages: { a: { model: 'a' }, b: { model: 'b', from: 'a' } } });
const picture: Picture = { encoding: 'rgb', width: 2, height: 2, data: new Uint8Array(12) };
const found: Answer = {
  is: 'output',
  output: { kind: 'boxes', boxes: [1, 2, 3].map(x => ({ x, y: 0, width: 1, height: 1, score: x })) },
};

/** The world as a list of what was asked of it. */
function recorder(heldBytesMax = Infinity) {
  const live = new Map<number, Invocation>();
  const cuts: CutJob[] = [];
  const sizes: SizeJob[] = [];
  const ended: Outcome[] = [];
  const state = { lastId: 0, heldBytes: 0, offers: 0, withdrawals: 0 };
  const fx: Effects = {
    nextId: () => ++state.lastId,
    routeOf: () => ({ session: 's', pool: 'p', budgetMs: 900, reserveMs: 100, reserveMinMs: 40 }),
    hold: bytes => {
      if (state.heldBytes + bytes > heldBytesMax) return false;
      state.heldBytes += bytes;
      return true;
    },
    release: bytes => void (state.heldBytes -= bytes),
    track: invocation => void live.set(invocation.id, invocation),
    untrack: invocation => void live.delete(invocation.id),
    offer: () => void state.offers++,
    withdraw: () => void state.withdrawals++,
    cut: job => void cuts.push(job),
    measure: job => void sizes.push(job),
    fannedOut: () => {},
    fateOf: ({ sinceMs }) => (['alive', 'unclear', 'silent', 'died'] as const)[Math.floor(sinceMs) % 4]!,
    lossesBefore: () => [],
    suspected: () => {},
    wakeAt: () => {},
    end: (_request, outcome) => void ended.push(outcome),
  };
  return { fx, live, cuts, sizes, ended, state };
}

function open(of: Query, fx: Effects): Request {
  fx.hold(picture.data.byteLength);
  return {
    number: 1,
    id: 1,
    query: of,
    meter: new QueryMeter(seededRandom(1)),
    stream: 'cam',
    seq: 1,
    meta: undefined,
    epoch: 1,
    acceptedAtMs: 0,
    ageMs: 0,
    objectiveMs: 1000,
    deadlineMs: 1000,
    taker: () => {},
    payload: picture,
    payloadBytes: picture.data.byteLength,
    invocations: [],
    open: 0,
    cutting: 0,
    size: undefined,
    results: of.stages.map(() => []),
    lastStage: 0,
    lastIndex: 0,
    emulated: false,
    ended: false,
    wakeAtMs: 1000,
    alarmTick: -1,
  };
}

const step = fc.record({
  what: fc.constantFrom(
    'grant',
    'found',
    'text',
    'refused',
    'dropped',
    'failed',
    'drop',
    'lose',
    'repeat',
    'cut',
    'cutFails',
    'time',
  ),
  which: fc.nat(7),
  stale: fc.boolean(),
  ms: fc.nat(120),
});
const weighty = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: step },
    { weight: 2, arbitrary: step.map(s => ({ ...s, what: 'grant' })) },
    { weight: 2, arbitrary: step.map(s => ({ ...s, what: 'found', stale: false })) },
    { weight: 1, arbitrary: step.map(s => ({ ...s, what: 'cut' })) },
  ),
  { maxLength: 80 },
);

test('request: whatever happens in whatever order, it ends exactly once and holds nothing afterwards', t => {
  const seen = new Set<Outcome>();
  fc.assert(
    fc.property(
      weighty,
      fc.constantFrom(Infinity, 16, 18),
      fc.constantFrom(query, single, pair, placed),
      fc.constantFrom(0, 950),
      (steps, heldBytesMax, of, startMs) => {
        const { fx, live, cuts, sizes, ended, state } = recorder(heldBytesMax);
        const request = open(of, fx);
        life.begin(request, 0, fx);
        let nowMs: number = startMs;
        for (const { what, which, stale, ms } of steps) {
          const all = [...live.values()];
          const invocation = all[which % Math.max(1, all.length)];
          const batch = stale ? 'old' : (invocation?.granted.batch ?? '');
          const columns = { model: ['m'], transferMs: [1], waitMs: [1] };
          const say = (said: Answer): void => {
            if (!invocation || invocation.grants === 0) return;
            const all = { ...columns, host: 'h', batch, size: 1, emulated: false, answers: [said], runMs: 1 };
            life.answer(invocation, all, 0, nowMs, fx);
          };
          if (what === 'grant' && invocation)
            life.grant(
              invocation,
              { batch: `batch-${nowMs}`, host: 'h', incarnation: 'a', atMs: nowMs, answerInMs: ms },
              fx,
            );
          if (what === 'found') say(found);
          if (what === 'text') say({ is: 'output', output: { kind: 'text', text: '', score: 1 } });
          if (what === 'refused') say({ is: 'refused', reason: 'leaving' });
          if (what === 'dropped') say({ is: 'dropped', reason: 'deadline' });
          if (what === 'failed' && stale) say({ is: 'failed', reason: 'model', detail: '' });
          if (what === 'drop' && invocation) life.dropByBatcher(invocation, 'deadline', nowMs, fx);
          if (what === 'lose' && invocation) life.lose(invocation, stale, nowMs, fx);
          if (what === 'repeat' && invocation) life.repeat(invocation, nowMs, fx);
          const job = what.startsWith('cut') ? cuts.shift() : undefined;
          if (job && what === 'cut')
            life.takeCuts(
              job,
              job.pieces.map(() => ({ ...picture, width: 1, data: new Uint8Array(2) })),
              nowMs,
              fx,
            );
          if (job && what === 'cutFails') life.failCut(job, 'broken', true, nowMs, fx);
          const sized = what.startsWith('cut') ? sizes.shift() : undefined;
          if (sized && what === 'cut') life.takeSize(sized, { width: 2, height: 2 }, nowMs, fx);
          if (sized && what === 'cutFails') life.failSize(sized, 'broken', true, nowMs, fx);
          if (what === 'time') nowMs += 2 * ms;
          if (request.wakeAtMs <= nowMs) life.wake(request, nowMs, fx);
          if (ended.length > 1 || state.heldBytes < 0) return false;
          if (!request.ended && request.wakeAtMs === Infinity) return false;
        }
        // Nobody says anything any more: it ends by itself, in bounded time.
        for (let i = 0; i < 1000 && !request.ended; i++)
          life.wake(request, (nowMs = Math.max(nowMs, request.wakeAtMs)), fx);
        for (const outcome of ended) seen.add(outcome);
        return ended.length === 1 && state.heldBytes === 0 && live.size === 0 && nowMs <= 1000 + 2 * 120 + 100 + 9600;
      },
    ),
    { numRuns: 3000 },
  );
  t.deepEqual([...seen].sort(), ['dropped', 'failed', 'late', 'ok'], 'the steps reach every end');
});

test('request: stages that choose alike share one piece, and a circle of stages is refused', t => {
  t.deepEqual(
    query.stages.map(({ name, from }) => [name, from]),
    [
      ['a', -1],
      ['b', 0],
      ['c', 0],
      ['d', 1],
    ],
  );
  t.deepEqual(
    query.stages[0]!.cuts.map(({ stages }) => stages),
    [[1, 2]],
  );
  const circle = { ...document, stages: { a: { model: 'm', from: 'b' }, b: { model: 'm', from: 'a' } } };
  t.throws(() => compileQuery('default', 'q', circle), { message: /circle/ });
});
