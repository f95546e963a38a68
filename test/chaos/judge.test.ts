import test from 'ava';
import { judge } from '../../deploy/chaos/index.ts';
import { faultsOf } from '../../deploy/chaos/faults.ts';
import type { Outcome } from '../../contracts/index.ts';

/** One request every 100 ms; `outcomeAt` says what becomes of each. */
const flow = (seconds: number, outcomeAt: (atMs: number) => Outcome | undefined) =>
  Array.from({ length: 10 * seconds }, (_, seq) => {
    const atMs = 100 * seq;
    return {
      query: 'q',
      stream: 's',
      seq,
      atMs,
      outcome: outcomeAt(atMs),
      reason: undefined,
      tookMs: 20,
      results: 1,
      doubtful: false,
    };
  });
const kill = (atMs: number) => ({ kind: 'kill', atMs, actor: 'gpu-1' }) as const;
const around = (endMs: number) => ({ unsent: 0, underWayMs: 500, endMs });

test('chaos: a fault that nobody noticed', t => {
  const { lost, outcomes, faults } = judge(
    flow(10, () => 'ok'),
    [kill(3000)],
    around(10_000),
  );
  t.is(lost, 0);
  t.is(outcomes.ok, 100);
  t.like(faults, [{ fault: 'kill gpu-1', atS: 3, hit: 0, lost: 0, slowestMs: 20, backMs: 0 }]);
});

test('chaos: goodput is back when all requests end well, for two seconds, not when the first one does', t => {
  const bad = (atMs: number): boolean => (atMs >= 2800 && atMs < 4000) || atMs === 5000;
  const { faults, lost } = judge(
    flow(10, atMs => (bad(atMs) ? 'dropped' : 'ok')),
    [kill(3000)],
    around(10_000),
  );
  t.is(lost, 0);
  t.like(faults, [{ hit: 13, backMs: 2100 }]);
});

test('chaos: what has no outcome is lost; goodput that is not back before the next fault is not back', t => {
  const sent = flow(10, atMs => (atMs >= 3000 && atMs < 5500 ? undefined : 'ok'));
  const { faults, lost } = judge(sent, [kill(3000), kill(6000)], around(10_000));
  t.is(lost, 25);
  t.is(faults[0]!.backMs, undefined);
  t.like(faults[1], { lost: 0, backMs: 0 });
});

test('chaos: what may have been told while nobody here could hear is unknown, not lost', t => {
  const sent = flow(10, atMs => (atMs >= 3000 && atMs < 3500 ? undefined : 'ok')).map((one, i) => {
    return { ...one, doubtful: i < 33 };
  });
  const verdict = judge(sent, [kill(3000)], around(10_000));
  t.like(verdict, { requests: 100, unknown: 3, lost: 2 });
  t.like(verdict.faults[0], { hit: 5, lost: 2 });
});

test('chaos: random faults follow from the seed and keep to their time', t => {
  const document = (seed: number) => ({
    cluster: 'c.yaml',
    seed,
    durationS: 60,
    load: [{ stream: 's', query: 'q', rateHz: 1 }],
    faults: [
      {
        kind: 'random' as const,
        count: 20,
        fromS: 5,
        toS: 50,
        what: ['kill' as const, 'freeze' as const],
        actors: ['gpu-1', 'gpu-2'],
        forS: 3,
      },
    ],
  });
  const faults = faultsOf(document(1));
  t.deepEqual(faultsOf(document(1)), faults);
  t.notDeepEqual(faultsOf(document(2)), faults);
  t.is(faults.length, 20);
  t.true(faults.every(({ atMs }, i) => atMs >= (faults[i - 1]?.atMs ?? 5000) && atMs <= 50_000));
});
