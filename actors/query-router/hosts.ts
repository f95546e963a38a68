import type { HostBeat } from '../../contracts/index.ts';
import type { Loss } from './suspicion.ts';

/** A host that has not been heard for so long counts as lost. */
const SILENCE_MS_MAX = 3000;
/** Hosts that went are remembered, as many as this. */
const GONE_MAX = 1000;

/**
 * What became of the process that had an invocation. alive: heard since, or it left in order; died: another process has its name,
 * or it said that it failed; silent: not heard for {@link SILENCE_MS_MAX}, which a freeze or a cut looks like, too.
 */
export type Fate = 'alive' | 'unclear' | 'silent' | 'died';

/** Which hosts are alive, by their beats. */
export class Hosts {
  readonly #seen = new Map<string, { incarnation: string; atMs: number }>();
  readonly #gone = new Map<string, { readonly incarnation: string; readonly fate: Fate }>();

  /** True when what was granted to the host before is lost: it failed, left, or is another process now. */
  beat(host: string, { state, incarnation }: HostBeat, nowMs: number): boolean {
    const known = this.#seen.get(host);
    if (state === 'failed' || state === 'left') {
      this.#forget(host, incarnation, state === 'failed' ? 'died' : 'alive');
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
    for (const [host, { incarnation, atMs }] of this.#seen) {
      if (nowMs - atMs <= SILENCE_MS_MAX) continue;
      silent.push(host);
      this.#forget(host, incarnation, 'silent');
    }
    return silent;
  }

  /** The bus was away: beats may have been lost, so everybody gets the full time again. */
  amnesty(nowMs: number): void {
    for (const known of this.#seen.values()) known.atMs = nowMs;
  }

  /** Empty when the host is not known. */
  incarnationOf(host: string): string {
    return this.#seen.get(host)?.incarnation ?? '';
  }

  fateOf({ host, incarnation, sinceMs }: Loss): Fate {
    const known = this.#seen.get(host);
    if (known?.incarnation === incarnation) return known.atMs > sinceMs ? 'alive' : 'unclear';
    const gone = this.#gone.get(host);
    if (gone?.incarnation === incarnation && gone.fate !== 'silent') return gone.fate;
    return known ? 'died' : 'silent';
  }

  #forget(host: string, incarnation: string, fate: Fate): void {
    this.#seen.delete(host);
    this.#gone.delete(host);
    this.#gone.set(host, { incarnation, fate });
    const [oldest] = this.#gone.keys();
    if (this.#gone.size > GONE_MAX) this.#gone.delete(oldest!);
  }
}
