import { describeError, type Cancel, type Log } from '../../contracts/index.ts';
import type { Catalog } from './catalog.ts';
import type { Shelf } from './shelf.ts';

/** What could not be written is tried again after so long. */
const AGAIN_MS = 1000;

export interface WishesPorts {
  readonly log: Log;
  readonly catalog: Catalog;
  readonly shelf: Shelf;
  after(delayMs: number, fn: () => void): Cancel;
  spawn(what: string, work: () => Promise<void>): void;
  leads(): boolean;
}

/** Hosts that were to be drained and are gone: the wish is fulfilled. */
export class Wishes {
  readonly #ports: WishesPorts;

  constructor(ports: WishesPorts) {
    this.#ports = ports;
  }

  hasLeft(host: string): void {
    if (this.#ports.leads() && this.#ports.catalog.draining.delete(host)) this.#forget(host);
  }

  /** Tried until storage is back: what stays stored would take the host out again when it returns. */
  #forget(host: string): void {
    const { catalog, shelf, log } = this.#ports;
    this.#ports.spawn(`forgetting the wish about ${host}`, async () => {
      try {
        await shelf.fulfilled(host);
      } catch (error) {
        log.warn('a fulfilled wish could not be forgotten, trying again', { host, error: describeError(error) });
        this.#ports.after(AGAIN_MS, () => this.#ports.leads() && !catalog.draining.has(host) && this.#forget(host));
      }
    });
  }
}
