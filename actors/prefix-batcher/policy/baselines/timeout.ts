import type { Policy, PolicyFactory } from '../view.ts';
import { numberOption, optionsOf } from './options.ts';
import { saturatingBatch } from './saturating.ts';
import { Turns } from './turns.ts';

/** "A few milliseconds" for online serving, says TensorFlow Serving's guide to batching. */
const TIMEOUT_MS = 5;

/**
 * TensorFlow Serving's BasicBatchScheduler, one batch at a time on each device: a batch runs when it is full (`batch`, its
 * max_batch_size) or its oldest input has waited `timeoutMs` (batch_timeout_micros). It knows no deadlines: nothing is dropped, what is late
 * runs, too. Default of `batch`: the largest that keeps the objective on a device of its own, as it was tuned in SOSP'19, section 7.1.
 */
export const timeout: PolicyFactory = (options): Policy => {
  const { batch, timeoutMs = TIMEOUT_MS } = optionsOf('timeout', options, {
    batch: numberOption({ min: 1, integer: true }),
    timeoutMs: numberOption({ min: 0 }),
  });
  return new Turns({
    name: 'timeout',
    late: true,
    turn: (group, seat, nowMs) => {
      const { queue } = seat;
      const full = Math.min(seat.batchMax, batch ?? saturatingBatch(group, seat));
      if (queue.length >= full) return { drop: 0, count: full };
      const againAtMs = queue.arrivedAt(0) + timeoutMs;
      return againAtMs <= nowMs ? { drop: 0, count: queue.length } : { drop: 0, count: 0, againAtMs };
    },
  });
};
