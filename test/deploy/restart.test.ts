import test from 'ava';
import fc from 'fast-check';
import { afterFailure, noFailures, RESTART_POLICY, type FailureRecord } from '../../deploy/cluster/index.ts';

/** Waits before each restart of an actor that fails again and again after running `ranMs`; ends when it is given up. */
function waits(ranMs: number, failures: number): number[] {
  let record: FailureRecord = noFailures;
  let nowMs = 0;
  const all: number[] = [];
  for (let i = 0; i < failures; i++) {
    nowMs += ranMs;
    const decision = afterFailure(record, { nowMs, ranMs }, RESTART_POLICY);
    record = decision.record;
    if (!decision.restart) break;
    all.push(decision.inMs);
    nowMs += decision.inMs;
  }
  return all;
}

test('restart: later and later, and given up when it fails too often', t => {
  t.deepEqual(waits(100, 100), [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000, 10_000]);
});

test('restart: an actor that ran well for long starts again at once, without end', t => {
  t.deepEqual(waits(60_000, 50), Array(50).fill(RESTART_POLICY.firstMs));
});

test('restart: whatever happens, never more restarts in a window than allowed', t => {
  const runs = fc.array(fc.record({ ranMs: fc.nat(40_000), pauseMs: fc.nat(1000) }), { maxLength: 60 });
  t.notThrows(() =>
    fc.assert(
      fc.property(runs, all => {
        let record: FailureRecord = noFailures;
        let nowMs = 0;
        const restartedAt: number[] = [];
        for (const { ranMs, pauseMs } of all) {
          nowMs += ranMs;
          const decision = afterFailure(record, { nowMs, ranMs }, RESTART_POLICY);
          record = decision.record;
          if (decision.restart) restartedAt.push(nowMs);
          nowMs += pauseMs;
        }
        return restartedAt.every(
          at =>
            restartedAt.filter(other => other <= at && at - other < RESTART_POLICY.windowMs).length <=
            RESTART_POLICY.failuresMax,
        );
      }),
    ),
  );
});
