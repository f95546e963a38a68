import type { Order, OrderReply } from '../../../../contracts/index.ts';
import type { Process } from '../process.ts';
import type { Report, Rule } from '../watch.ts';
import type { PlanRules } from './plans.ts';

/** A batcher that was not heard for so long, on the allocator's clock, counts as lost by it (`silenceMs`). */
const SILENCE_MS = 3000;

/** No host obeys a fenced leader; nothing is released that somebody still schedules for. */
export class OrderRules implements Rule {
  readonly #report: Report;
  readonly #plans: PlanRules;
  /** Orders by where their answer goes. */
  readonly #orders = new Map<string, Order>();
  readonly #obeyed = new Map<string, { epoch: number; nonce: string }>();

  constructor(report: Report, plans: PlanRules) {
    this.#report = report;
    this.#plans = plans;
  }

  delivered(process: Process, [family]: readonly string[], message: () => any, reply: string | undefined): void {
    if (family === 'orders' && process.program.role === 'gpu' && reply) this.#orders.set(reply, message() as Order);
  }

  sent(process: Process, [family = '', host = '']: readonly string[], message: () => any): void {
    if (family === 'orders') this.#checkRelease(process, host, message() as Order);
    if (process.program.role !== 'gpu') return;
    const order = this.#orders.get(family);
    if (!order || !(message() as OrderReply).accepted) return;
    const { id, incarnation } = process;
    const key = `${id} ${incarnation}`;
    const before = this.#obeyed.get(key);
    const fenced =
      before && (order.epoch < before.epoch || (order.epoch === before.epoch && order.nonce !== before.nonce));
    if (fenced)
      this.#report.broken(
        'fence',
        `${id} obeys ${order.verb} of epoch ${order.epoch} by ${order.nonce} after ${before.epoch} by ${before.nonce}`,
      );
    else this.#obeyed.set(key, order);
  }

  #checkRelease(process: Process, host: string, order: Order): void {
    if (order.verb !== 'release') return;
    const { hosts, batchers } = this.#plans.earsOf(process);
    const held =
      hosts
        .get(host)
        ?.residents.filter(r => r.state !== 'failed')
        .map(r => r.model) ?? [];
    const goes = new Set(held.filter(model => !order.keep.includes(model)));
    for (const [batcher, { beat, atMs }] of batchers) {
      if (this.#report.nowMs() - atMs > SILENCE_MS / process.program.rate) continue;
      const plan = this.#plans.published.get(beat.epoch);
      const used = plan?.hosts.find(planned => planned.host === host)?.models.find(({ model }) => goes.has(model));
      if (used)
        this.#report.broken(
          'early-release',
          `${host} is to release ${used.model}, which ${batcher} uses in epoch ${beat.epoch}`,
        );
    }
  }
}
