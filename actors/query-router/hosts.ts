import type { HostBeat } from '../../contracts/index.ts';

/** A host that has not been heard for so long counts as lost. */
const SILENCE_MS_MAX = 3000;

/** Which hosts are alive, by their beats. */
export class Hosts {
  readonly #seen = new Map<string, { incarnation: string; atMs: number }>();

  /** True when what was granted to the host before is lost: it failed, left, or is another process now. */
  beat(host: string, { state, incarnation }: HostBeat, nowMs: number): boolean {
    const known = this.#seen.get(host);
    if (state === 'failed' || state === 'left') {
      this.#seen.delete(host);
      return known !== undefined;
    }
    this.#seen.set(host, { incarnation, atMs: nowMs });
    return known !== undefined && known.incarnation !== incarnation;
  }

  /** Any other sign of life. */
  heard(host: string, nowMs: number): void {
    const known = this.#seen.get(host);
    if (known) known.atMs = nowMs;
  }

  /** Hosts that have fallen silent, each told once. */
  lost(nowMs: number): string[] {
    const silent: string[] = [];
    for (const [host, { atMs }] of this.#seen) if (nowMs - atMs > SILENCE_MS_MAX) silent.push(host);
    for (const host of silent) this.#seen.delete(host);
    return silent;
  }

  /** The bus was away: beats may have been lost, so everybody gets the full time again. */
  amnesty(nowMs: number): void {
    for (const known of this.#seen.values()) known.atMs = nowMs;
  }
}
