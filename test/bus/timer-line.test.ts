import fc from 'fast-check';
import test from 'ava';
import { VirtualClock } from '../../bus/index.ts';
import { TimerLine } from '../../bus/clocks/timer-line.ts';

test('timer line: any mix of pushing and shifting gives what a list would (grown and wrapped around)', t => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(3), fc.constant(-1)), { maxLength: 400 }), steps => {
      const line = new TimerLine();
      const list: { dueMs: number; seq: number; fn: () => void }[] = [];
      let dueMs = 0;
      for (const [seq, step] of steps.entries()) {
        if (step >= 0) {
          const entry = { dueMs: (dueMs += step), seq, fn: () => {} };
          if (!line.fits(dueMs)) throw new Error(`${dueMs} fits`);
          line.push(dueMs, seq, entry.fn);
          list.push(entry);
        } else if (list.length > 0 && line.shift() !== list.shift()!.fn) throw new Error('not the first');
        const size = list.length;
        t.deepEqual([line.size, line.dueMs], [size, list[0]?.dueMs ?? Infinity]);
        if (size > 0) t.is(line.seq, list[0]!.seq);
        if (size > 0) t.false(line.fits(dueMs - 1));
      }
    }),
  );
});

test('virtual clock: posts and timers fire in the order of their time, ties in the order they were set', async t => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ delayMs: fc.nat(5), post: fc.boolean() }), { maxLength: 60 }),
      async steps => {
        const clock = new VirtualClock();
        const fired: number[] = [];
        for (const [i, { delayMs, post }] of steps.entries()) {
          const fire = (): void => void fired.push(i);
          if (post) clock.post(delayMs, fire);
          else clock.after(delayMs, fire);
        }
        t.is(clock.pending(), steps.length);
        await clock.runUntilIdle();
        const expected = steps
          .map(({ delayMs }, i) => ({ delayMs, i }))
          .sort((a, b) => a.delayMs - b.delayMs || a.i - b.i);
        t.deepEqual(
          fired,
          expected.map(({ i }) => i),
        );
      },
    ),
  );
});
