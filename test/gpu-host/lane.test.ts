import test from 'ava';
import { VirtualClock } from '../../bus/index.ts';
import { sleep } from '../../contracts/index.ts';
import { Lane } from '../../gpu-host/lane.ts';

test('lane: tasks run one after the other in the order of the calls, one that fails too (promises, callbacks)', async t => {
  const clock = new VirtualClock();
  const lane = new Lane();
  const seen: string[] = [];
  const task = (name: string, ms: number) => async (): Promise<string> => {
    seen.push(`${name} begins at ${clock.nowMs()}`);
    await sleep(clock, ms);
    if (name === 'fails') throw new Error('no');
    return name;
  };
  const first = lane.add(task('first', 5));
  const fails = t.throwsAsync(lane.add(task('fails', 3)));
  lane.enter(leave => {
    seen.push(`callback begins at ${clock.nowMs()}`);
    clock.after(4, leave);
  });
  const last = lane.add(task('last', 1));
  let idleAtMs = NaN;
  const idle = lane.idle().then(() => (idleAtMs = clock.nowMs()));
  await clock.runUntilIdle();
  t.deepEqual([await first, await last], ['first', 'last']);
  await fails;
  await idle;
  t.deepEqual(seen, ['first begins at 0', 'fails begins at 5', 'callback begins at 8', 'last begins at 12']);
  t.is(idleAtMs, 13);
  await lane.idle();
  t.is(await lane.add(async () => 'again'), 'again');
});
