import { largestFitting } from '../largest.ts';
import type { Policy, PolicyFactory, SeatView } from '../view.ts';
import { choiceOption, optionsOf } from './options.ts';
import { saturatingBatch } from './saturating.ts';
import { startOf, Turns, type Turn } from './turns.ts';

/**
 * Nexus (SOSP'19): each request goes to a host by the weights of the plan (deficit round robin), each host serves its models by turns
 * with batches of the planned size at most, nothing is taken over by another host. `drop`: `early` (section 6.3; batch policy 0,
 * "sliding window") or `lazy` (batch policy 1, "earliest first": what Clipper does).
 */
export const nexus: PolicyFactory = (options): Policy => {
  const { drop = 'early' } = optionsOf('nexus', options, { drop: choiceOption('early', 'lazy') });
  const pick = drop === 'lazy' ? lazily : early;
  return new Turns({
    name: drop === 'lazy' ? 'nexus with lazy drop' : 'nexus',
    turn: (group, seat, nowMs) =>
      pick(seat, Math.min(seat.batchMax, group.batchPlanned ?? saturatingBatch(group, seat)), nowMs),
  });
};

/**
 * Gives up whatever wouldn't be in time in a batch of the planned size, from the most urgent on. Where fewer are left the batch, and
 * with it what is given up, becomes smaller.
 */
function early(seat: SeatView, planned: number, nowMs: number): Turn {
  const { queue } = seat;
  let drop = 0;
  for (;;) {
    const count = Math.min(planned, queue.length - drop);
    if (count === 0) return { drop, count };
    if (queue.deadlineAt(drop) >= startOf(seat, count, nowMs) + seat.latencyOf(drop, count)) return { drop, count };
    drop++;
  }
}

/** Gives up only what is hopeless alone; the most urgent of the others says how large the batch may be. */
function lazily(seat: SeatView, planned: number, nowMs: number): Turn {
  const { queue } = seat;
  const drop = queue.countBefore(startOf(seat, 1, nowMs) + seat.leastMs(1));
  const room = Math.min(planned, queue.length - drop);
  if (room === 0) return { drop, count: 0 };
  const deadlineMs = queue.deadlineAt(drop);
  const fits = (size: number): boolean => startOf(seat, size, nowMs) + seat.latencyOf(drop, size) <= deadlineMs;
  return { drop, count: Math.max(1, largestFitting(room, fits)) };
}
