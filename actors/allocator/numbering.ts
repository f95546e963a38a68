import type { Plan } from '../../contracts/index.ts';
import type { Cluster } from './cluster.ts';

export interface NumberingPorts {
  readonly cluster: Cluster;
  readonly inForce: () => Plan | undefined;
  /** One above `epoch` that no other leader can name; undefined: it has to be claimed first. */
  readonly nextEpoch: (epoch: number) => number | undefined;
}

/** The epochs that one leader names in plans and orders: each above all that anybody was heard of following or obeying. */
export class Numbering {
  readonly #ports: NumberingPorts;
  readonly #nonce: string;
  /** The highest that was named; 0: none. */
  #named = 0;

  constructor(nonce: string, ports: NumberingPorts) {
    this.#nonce = nonce;
    this.#ports = ports;
  }

  /** A new one; undefined: there is none until more are claimed. */
  next(): number | undefined {
    const { cluster, inForce, nextEpoch } = this.#ports;
    const heard = Math.max(cluster.foreignEpoch(this.#nonce), cluster.followedEpoch(), inForce()?.epoch ?? 0);
    const epoch = nextEpoch(Math.max(heard, this.#named));
    this.#named = epoch ?? this.#named;
    return epoch;
  }

  /** What orders carry now. */
  fence(): { epoch: number; nonce: string } {
    if (this.#named <= this.#ports.cluster.foreignEpoch(this.#nonce)) this.next();
    return { epoch: this.#named, nonce: this.#nonce };
  }
}
