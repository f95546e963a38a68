import type { Clock } from '../../contracts/index.ts';
import type { Cluster } from './cluster.ts';
import type { Orders } from './orders.ts';

/**
 * Machines that go away at a known time. The host itself is told, until it has understood: then it leaves in time, even if no
 * allocator leads by then.
 */
export class Notices {
  readonly #ports: { readonly clock: Clock; readonly cluster: Cluster; readonly orders: Orders };
  readonly #goneAtMs = new Map<string, number>();

  constructor(ports: { readonly clock: Clock; readonly cluster: Cluster; readonly orders: Orders }) {
    this.#ports = ports;
  }

  take(host: string, withinMs: number): void {
    const goneAtMs = this.#ports.clock.nowMs() + withinMs;
    this.#goneAtMs.set(host, Math.min(goneAtMs, this.#goneAtMs.get(host) ?? Infinity));
    this.step();
  }

  given(host: string): void {
    this.#goneAtMs.delete(host);
  }

  step(): void {
    const { clock, cluster, orders } = this.#ports;
    for (const [host, goneAtMs] of this.#goneAtMs) {
      if (!cluster.ready(host)) this.#goneAtMs.delete(host);
      else orders.give(host, { verb: 'leave', withinMs: Math.max(0, goneAtMs - clock.nowMs()) });
    }
  }
}
