import type { Clock, Plan } from '../../contracts/index.ts';
import type { Cluster } from './cluster.ts';
import type { AllocatorConfig } from './config.ts';
import type { Step } from './steps.ts';
import { isOutdone, toFollow, toObey } from './waiting.ts';

export interface HandoverPorts {
  readonly clock: Clock;
  readonly cluster: Cluster;
  readonly config: AllocatorConfig;
}

/** What a leader is careful about since there were others before it: what they said may still be on its way (docs/epochs.md). */
export class Handover {
  readonly #ports: HandoverPorts;
  readonly #listeningSinceMs: number;
  /** Since when each host that may obey another leader has been waited for. */
  readonly #askedSinceMs = new Map<string, number>();

  constructor(ports: HandoverPorts) {
    this.#ports = ports;
    this.#listeningSinceMs = ports.clock.nowMs();
  }

  begin(): void {
    this.#askedSinceMs.clear();
  }

  /** Hosts that have only to obey before the plan may be committed. One that can't be reached is waited for `commitMs`, once. */
  toObey(candidate: Plan): Step[] {
    const { clock, cluster, config } = this.#ports;
    const nowMs = clock.nowMs();
    return toObey(candidate, cluster).filter(({ host }) => {
      const sinceMs = this.#askedSinceMs.get(host) ?? nowMs;
      this.#askedSinceMs.set(host, sinceMs);
      return nowMs - sinceMs < config.commitMs;
    });
  }

  /** What hosts hold beyond this leader's own plan may be in use by one that it never saw, until all who are heard follow its own. */
  mayRelease(own: Plan): boolean {
    const { clock, cluster, config } = this.#ports;
    const listenedMs = clock.nowMs() - this.#listeningSinceMs;
    return listenedMs > config.silenceMs && !isOutdone(own, cluster) && toFollow(own, cluster).length === 0;
  }
}
