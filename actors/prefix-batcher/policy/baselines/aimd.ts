import type { Policy, PolicyFactory, SeatView } from '../view.ts';
import { numberOption, optionsOf } from './options.ts';
import { Turns } from './turns.ts';

/**
 * Clipper (NSDI'17, section 4.3.1): each model on each device is a container that finds its largest batch by itself. It grows by
 * `increase` (1) "until the latency to process a batch exceeds the latency objective", then shrinks by a tenth (`backOff` 0.9); only a
 * full batch says that a larger one might do. Containers on a device know nothing of each other and take turns. Lazy drop: only what has
 * missed its deadline when a batch is formed.
 */
export const aimd: PolicyFactory = (options): Policy => {
  const { increase = 1, backOff = 0.9 } = optionsOf('aimd', options, {
    increase: numberOption({ min: 0.01 }),
    backOff: numberOption({ min: 0.01, max: 1 }),
  });
  const limits = new WeakMap<SeatView, number>();
  const limitOf = (seat: SeatView): number => Math.min(seat.batchMax, limits.get(seat) ?? 1);
  return new Turns({
    name: 'aimd',
    late: true,
    turn: (_group, seat, nowMs) => {
      const { queue } = seat;
      const drop = queue.countBefore(nowMs);
      return { drop, count: Math.min(Math.floor(limitOf(seat)), queue.length - drop) };
    },
    finished: ({ group, seat, count, startAtMs }, endedAtMs) => {
      const limit = limitOf(seat);
      if (endedAtMs - startAtMs > group.budgetMs) limits.set(seat, Math.max(1, limit * backOff));
      else if (count >= Math.floor(limit)) limits.set(seat, limit + increase);
    },
  });
};
