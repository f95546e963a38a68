import { largestFitting } from '../largest.ts';
import type { GroupView, SeatView } from '../view.ts';

/** The batch that one device by itself keeps up within the budget, 2ℓ(b) ≤ L (SOSP'19, section 4.1); 1 where none does. */
export const saturatingBatch = ({ budgetMs }: GroupView, seat: SeatView): number =>
  Math.max(
    1,
    largestFitting(seat.batchMax, b => 2 * seat.latencyMs(b) <= budgetMs),
  );
