import fc from 'fast-check';
import test from 'ava';
import { VirtualClock } from '../../bus/index.ts';
import { IdLists, NO_ID } from '../../actors/query-router/id-lists.ts';
import { AlarmClock, NO_TICK } from '../../actors/query-router/alarm-clock.ts';
import { ID_MAX, LiveIds } from '../../actors/query-router/live-ids.ts';

test('live ids: any mix of coming, going and asking gives what a map would (grown, begun again behind the largest id)', t => {
  fc.assert(
    fc.property(
      fc.constantFrom(0, 1, 1020, ID_MAX - 3, ID_MAX),
      fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant(-1) }, fc.nat(9)), { maxLength: 60 }),
      fc.nat(1500),
      (lastId, steps, many) => {
        const ids = new LiveIds<{ readonly id: number }>(lastId);
        const map = new Map<number, { readonly id: number }>();
        const add = (): void => {
          const item = { id: ids.next() };
          t.true(item.id >= 1 && item.id <= ID_MAX && !map.has(item.id));
          ids.add(item);
          map.set(item.id, item);
        };
        for (let i = 0; i < many; i++) add();
        for (const step of steps) {
          const item = [...map.values()][step];
          if (step < 0) add();
          else if (item) {
            ids.delete(item);
            ids.delete(item);
            map.delete(item.id);
            t.is(ids.get(item.id), undefined);
          }
        }
        t.is(ids.size, map.size);
        for (const item of map.values()) t.is(ids.get(item.id), item);
        t.deepEqual([...ids.values()], [...map.values()]);
      },
    ),
    { numRuns: 40 },
  );
});

test('live ids: what lives long keeps its id while ids go round, and foreign numbers are nobody', t => {
  const ids = new LiveIds<{ readonly id: number }>(0);
  const old = { id: ids.next() };
  ids.add(old);
  for (let i = 0; i < 10_000; i++) {
    const item = { id: ids.next() };
    ids.add(item);
    ids.delete(item);
  }
  t.is(ids.get(old.id), old);
  t.deepEqual([...ids.values()], [old]);
  for (const id of [0, -1, old.id + 1024, 1.5, Number.NaN, 2 ** 40]) t.is(ids.get(id), undefined);
});

test('id lists: each gives back what was put into it, in that order, whatever happens to the others', t => {
  const step = fc.record({ list: fc.nat(4), id: fc.option(fc.nat(2 ** 31 - 1)) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 5000, size: 'max' }), steps => {
      const lists = new IdLists(5);
      const known: number[][] = Array.from({ length: 5 }, () => []);
      for (const { list, id } of steps) {
        if (id === null) t.is(lists.shift(list), known[list]!.shift() ?? NO_ID);
        else {
          lists.push(list, id);
          known[list]!.push(id);
        }
        t.is(lists.isEmpty(list), known[list]!.length === 0);
      }
    }),
    { numRuns: 20 },
  );
});

/** Longer than the alarm clock looks ahead. */
const FAR_MS = 5000;

test('alarm clock: whoever sleeps is woken within a millisecond of the time that counts then, put off or not, and once', async t => {
  const change = fc.record({
    afterMs: fc.double({ min: 0, max: 50, noNaN: true }),
    who: fc.nat(3),
    sleepMs: fc.oneof(fc.double({ min: 0, max: 60, noNaN: true }), fc.constantFrom(FAR_MS, Infinity)),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 40 }), async changes => {
      const clock = new VirtualClock();
      const sleepers = [0, 1, 2, 3].map(id => ({ id, wakeAtMs: Infinity, alarmTick: NO_TICK }));
      const woken: string[] = [];
      const alarms = new AlarmClock<(typeof sleepers)[number]>({
        nowMs: () => clock.nowMs(),
        alarm: fn => clock.alarm(fn),
        find: id => sleepers[id],
        wake: sleeper => {
          const lateMs = clock.nowMs() - sleeper.wakeAtMs;
          t.true(lateMs >= 0 && lateMs < 1.001, `${lateMs} ms late`);
          woken.push(`${sleepers.indexOf(sleeper)} ${sleeper.wakeAtMs}`);
          sleeper.wakeAtMs = Infinity;
        },
      });
      const expected: string[] = [];
      for (const { afterMs, who, sleepMs } of changes) {
        await clock.runFor(afterMs);
        const sleeper = sleepers[who]!;
        sleeper.wakeAtMs = clock.nowMs() + sleepMs;
        alarms.set(sleeper);
      }
      await clock.runFor(2 * FAR_MS);
      for (const [i, { wakeAtMs }] of sleepers.entries()) if (wakeAtMs < Infinity) expected.push(`${i} still sleeps`);
      t.deepEqual(expected, []);
      t.is(new Set(woken).size, woken.length);
      t.is(clock.pending(), 0);
    }),
  );
});

test('alarm clock: a timer that rings late, as after a stop of the process, or early, wakes all, those who go on sleeping later, and nobody who is gone', t => {
  let nowMs = 0;
  let ring: (() => void) | undefined;
  const woken: number[] = [];
  const sleepers = new Map<number, { id: number; wakeAtMs: number; alarmTick: number }>();
  const alarms = new AlarmClock<{ id: number; wakeAtMs: number; alarmTick: number }>({
    nowMs: () => nowMs,
    alarm: fn => ({ set: () => (ring = fn), clear: () => (ring = undefined) }),
    find: id => sleepers.get(id),
    wake: sleeper => {
      woken.push(sleeper.id);
      sleeper.wakeAtMs = nowMs + (sleeper.id === 1 ? 2000 : Infinity);
      alarms.set(sleeper);
    },
  });
  for (const [id, wakeAtMs] of [
    [1, 10],
    [2, 700],
    [3, 1900],
    [4, 9000],
    [5, 1500],
  ] as const) {
    const sleeper = { id, wakeAtMs, alarmTick: NO_TICK };
    sleepers.set(id, sleeper);
    alarms.set(sleeper);
  }
  sleepers.delete(5);
  nowMs = 3500;
  ring!();
  t.deepEqual(woken, [1, 2, 3]);
  nowMs = 5500;
  ring!();
  while (nowMs < 9000) {
    nowMs += 100;
    ring?.();
  }
  t.deepEqual(woken, [1, 2, 3, 1, 1, 4]);
});
