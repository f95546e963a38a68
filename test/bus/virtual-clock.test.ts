import fc from 'fast-check';
import test from 'ava';
import { realClock, VirtualClock } from '../../bus/index.ts';
import { alarmOn, every, sleep, type Alarm } from '../../contracts/index.ts';

test('virtual clock: timers fire at their own time, those of one instant in the order they were set', async t => {
  const clock = new VirtualClock();
  const fired: string[] = [];
  const note = (what: string) => () => fired.push(`${clock.nowMs()} ${what}`);
  clock.after(20, note('c'));
  clock.after(10, note('a'));
  clock.after(10, note('b'));
  clock.after(0, note('first'));
  clock.after(10.5, note('fraction'));
  clock.after(31, note('beyond'));
  await clock.runUntil(30);
  t.deepEqual(fired, ['0 first', '10 a', '10 b', '10.5 fraction', '20 c']);
  t.is(clock.nowMs(), 30);
  t.is(clock.pending(), 1);
  t.is(clock.nextDueMs(), 31);
});

test('virtual clock: a period that re-arms itself runs each time, not once', async t => {
  const clock = new VirtualClock();
  let runs = 0;
  const stop = every(clock, 1000, () => runs++);
  await clock.runFor(10_000);
  t.is(runs, 10);
  stop();
  await clock.runFor(10_000);
  t.is(runs, 10);
  t.is(clock.pending(), 0);
});

test('virtual clock: an alarm that is set again and again rings as one made of timers would, and in the same order', async t => {
  const step = fc.record({
    afterMs: fc.nat(5),
    alarm: fc.nat(7),
    delayMs: fc.option(fc.nat(20)),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 100 }), async steps => {
      const ringsOf = async (alarmOf: (clock: VirtualClock, ring: () => void) => Alarm): Promise<string[]> => {
        const clock = new VirtualClock();
        const rings: string[] = [];
        const alarms = Array.from({ length: 8 }, (_, i): Alarm => {
          return alarmOf(clock, () => {
            rings.push(`${clock.nowMs()} ${i}`);
            if (i % 4 === 3) alarms[i - 1]!.set(0);
          });
        });
        for (const { afterMs, alarm, delayMs } of steps) {
          await clock.runFor(afterMs);
          if (delayMs === null) alarms[alarm]!.clear();
          else alarms[alarm]!.set(delayMs);
        }
        await clock.runUntilIdle();
        return rings;
      };
      const own = await ringsOf((clock, ring) => clock.alarm(ring));
      t.deepEqual(own, await ringsOf((clock, ring) => alarmOn((delayMs, fn) => clock.after(delayMs, fn), ring)));
    }),
  );
});

test('virtual clock: promise chains end before time goes on', async t => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const worker = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await sleep(clock, 10);
      for (let k = 0; k < 50; k++) await Promise.resolve();
      seen.push(`${clock.nowMs()}`);
    }
  };
  clock.after(25, () => seen.push('timer at 25'));
  await clock.settle(worker());
  t.deepEqual(seen, ['10', '20', 'timer at 25', '30']);
});

test('virtual clock: nothing that awaits, and no microtask or tick of any kind, outlives its instant', async t => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const note = (what: string) => () => void seen.push(`${clock.nowMs()} ${what}`);
  let settle: () => void = () => {};
  void new Promise<void>(resolve => (settle = resolve)).then(note('settled'));
  clock.after(1, note('timer'));
  clock.after(2, () => queueMicrotask(() => queueMicrotask(note('microtask'))));
  clock.after(3, () => process.nextTick(note('tick')));
  clock.after(4, () => settle());
  clock.after(5, () => void Promise.resolve().then(note('promise')));
  clock.after(6, note('timer'));
  await clock.runFor(7);
  t.deepEqual(seen, ['1 timer', '2 microtask', '3 tick', '4 settled', '5 promise', '6 timer']);
});

const virtual = new VirtualClock();
for (const [name, clock, ended] of [
  ['virtual clock', virtual, (work: Promise<void>) => virtual.settle(work)],
  ['real clock', realClock, (work: Promise<void>) => work],
] as const) {
  test(`${name}: what waits for the end of a turn runs behind its code, before other timers, in order`, async t => {
    const seen: string[] = [];
    const atEnd = (what: string): void => clock.atTurnEnd(() => void seen.push(what));
    const work = new Promise<void>(resolve => {
      clock.after(0, () => {
        clock.atTurnEnd(() => {
          seen.push('a');
          atEnd('c');
        });
        atEnd('b');
        clock.after(0, resolve);
        seen.push('code');
      });
    });
    atEnd('outside');
    await ended(work);
    t.deepEqual(seen, ['outside', 'code', 'a', 'b', 'c']);
  });
}

test('virtual clock: a cancelled timer neither fires nor stays', async t => {
  const clock = new VirtualClock();
  let fired = 0;
  const cancels = Array.from({ length: 1000 }, (_, i) => clock.after(i % 7, () => fired++));
  for (const cancel of cancels) {
    cancel();
    cancel();
  }
  t.is(clock.pending(), 0);
  const again = clock.after(1, () => fired++);
  await clock.runFor(10);
  again();
  t.is(fired, 1);
});

test('virtual clock: any mix of setting and cancelling fires what a sorted list would', async t => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ delayMs: fc.integer({ min: 0, max: 20 }), cancels: fc.option(fc.nat(30)) }), {
        maxLength: 60,
      }),
      async steps => {
        const clock = new VirtualClock();
        const fired: number[] = [];
        const cancelled = new Set<number>();
        const cancels = steps.map(({ delayMs }, i) => clock.after(delayMs, () => fired.push(i)));
        for (const { cancels: which } of steps) {
          if (which === null || which >= cancels.length) continue;
          cancels[which]!();
          cancelled.add(which);
        }
        await clock.runUntilIdle();
        const expected = steps
          .map(({ delayMs }, i) => ({ delayMs, i }))
          .filter(({ i }) => !cancelled.has(i))
          .sort((a, b) => a.delayMs - b.delayMs || a.i - b.i)
          .map(({ i }) => i);
        t.deepEqual(fired, expected);
      },
    ),
  );
});

test('virtual clock: waiting for what never comes ends and says what', async t => {
  const clock = new VirtualClock();
  every(clock, 1, () => {});
  await t.throwsAsync(
    clock.runUntilTrue(() => false, 100),
    { message: /not so within 100 ms/ },
  );
  t.is(clock.nowMs(), 100);
  await t.throwsAsync(clock.runUntilIdle(50), { message: /1 timers still wait/ });
  await t.throwsAsync(clock.settle(new Promise(() => {}), 10), { message: /not so within 10 ms/ });
});

test('virtual clock: what a timer throws ends the run, and the clock can go on', async t => {
  const clock = new VirtualClock();
  clock.after(5, () => {
    throw new Error('bug');
  });
  let later = false;
  clock.after(6, () => (later = true));
  await t.throwsAsync(clock.runFor(10), { message: 'bug' });
  await clock.runFor(10);
  t.true(later);
});

test('virtual clock: two runs at once are a mistake', async t => {
  const clock = new VirtualClock();
  const first = clock.runFor(10);
  await t.throwsAsync(clock.runFor(10), { message: /running already/ });
  await first;
});

test('clocks: a delay below zero or not a number is refused', t => {
  for (const clock of [realClock, new VirtualClock()]) {
    t.throws(() => clock.after(-1, () => {}), { instanceOf: RangeError });
    t.throws(() => clock.after(Number.NaN, () => {}), { instanceOf: RangeError });
  }
});

test('real clock: a delay beyond what Node can count does not fire at once', async t => {
  let fired = false;
  const cancel = realClock.after(2 ** 31 + 1000, () => (fired = true));
  await sleep(realClock, 20);
  t.false(fired);
  cancel();
});

test('real clock: timers without delay run in order, after the code that set them', async t => {
  const order: string[] = [];
  realClock.after(0, () => order.push('a'));
  const cancel = realClock.after(0, () => order.push('cancelled'));
  realClock.after(0, () => order.push('b'));
  cancel();
  t.deepEqual(order, []);
  await sleep(realClock, 0);
  t.deepEqual(order, ['a', 'b']);
});
