import type { Order } from '../../contracts/index.ts';

/** Highest plan that was obeyed: its number and the nonce of the leader that made it (empty before the first). */
export interface Fence {
  readonly epoch: number;
  readonly nonce: string;
}

export const NO_FENCE: Fence = { epoch: 0, nonce: '' };

/** The fence after `order`, or undefined when the order comes from an older plan, or from a rival leader of the same one. */
export function admit(fence: Fence, order: Pick<Order, 'epoch' | 'nonce'>): Fence | undefined {
  if (order.epoch < fence.epoch) return undefined;
  if (order.epoch === fence.epoch && fence.nonce !== '' && order.nonce !== fence.nonce) return undefined;
  return { epoch: order.epoch, nonce: order.nonce };
}
