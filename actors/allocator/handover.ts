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
  /** Undefined: nothing has been prepared yet. */
  #preparingSinceMs: number | undefined;

  constructor(ports: HandoverPorts) {
    this.#ports = ports;
    this.#listeningSinceMs = ports.clock.nowMs();
  }

  begin(): void {
    this.#preparingSinceMs = undefined;
  }

  /** Hosts that have only to obey before the plan may be committed. One that can't be reached is waited for `commitMs` in all. */
  toObey(candidate: Plan): Step[] {
    const { clock, cluster, config } = this.#ports;
    this.#preparingSinceMs ??= clock.nowMs();
    return clock.nowMs() - this.#preparingSinceMs < config.commitMs ? toObey(candidate, cluster) : [];
  }

  /** What hosts hold beyond this leader's own plan may be in use by one that it never saw, until all who are heard follow its own. */
  mayRelease(own: Plan): boolean {
    const { clock, cluster, config } = this.#ports;
    const listenedMs = clock.nowMs() - this.#listeningSinceMs;
    return listenedMs > config.silenceMs && !isOutdone(own, cluster) && toFollow(own, cluster).length === 0;
  }
}
