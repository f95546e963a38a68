import type { LocalBus } from './client.ts';
import type { Link } from './link.ts';
import type { LocalSubscription } from './subscription.ts';

export interface Leg {
  readonly to: LocalSubscription;
  readonly link: Link;
}

interface Group {
  readonly queue: string;
  readonly members: readonly Leg[];
}

/** Where messages of one client on one subject go: found once, and again when somebody has come or gone. */
export class Way {
  readonly from: LocalBus;
  readonly subject: string;
  /** See {@link Bus.valuesTo}. */
  readonly publish: (value: unknown) => boolean;
  plain: readonly Leg[] = [];
  groups: readonly Group[] = [];
  /** The network's count of changes when it was found; -1: not yet. */
  changes = -1;
  /** When a value was weighed, and what it took. */
  weighedAtMs = -Infinity;
  bytes = 0;

  constructor(from: LocalBus, subject: string, send: (way: Way, value: unknown) => void) {
    this.from = from;
    this.subject = subject;
    this.publish = value => {
      send(this, value);
      return from.connected;
    };
  }

  get isEmpty(): boolean {
    return this.plain.length === 0 && this.groups.length === 0;
  }
}
