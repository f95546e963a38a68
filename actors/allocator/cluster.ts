import type { HostView, Holdings } from '../../allocator/index.ts';
import type { BatcherBeat, HostBeat, RouterBeat } from '../../contracts/index.ts';

interface Heard<B> {
  readonly beat: B;
  readonly atMs: number;
}

/** What changed with a beat, or with silence. */
export type Change =
  | { readonly what: 'arrived' | 'gone'; readonly who: string; readonly role: 'host' | 'batcher' | 'router' }
  | undefined;

/** Everybody as their beats tell it. Silence longer than `silenceMs` is absence. */
export class Cluster {
  readonly hosts = new Map<string, Heard<HostBeat>>();
  readonly routers = new Map<string, Heard<RouterBeat>>();
  readonly batchers = new Map<string, Heard<BatcherBeat>>();

  hearHost(host: string, beat: HostBeat, atMs: number): Change {
    const before = this.hosts.get(host)?.beat;
    if (beat.state === 'left') this.hosts.delete(host);
    else this.hosts.set(host, { beat, atMs });
    const restarted = before !== undefined && before.incarnation !== beat.incarnation;
    const was = before?.state === 'ready';
    const is = beat.state === 'ready';
    if (was && (!is || restarted)) return { what: 'gone', who: host, role: 'host' };
    return is && !was ? { what: 'arrived', who: host, role: 'host' } : undefined;
  }

  hearRouter(router: string, beat: RouterBeat, atMs: number): void {
    this.routers.set(router, { beat, atMs });
  }

  hearBatcher(batcher: string, beat: BatcherBeat, atMs: number): Change {
    const known = this.batchers.has(batcher);
    if (beat.leaving) {
      this.batchers.delete(batcher);
      return known ? { what: 'gone', who: batcher, role: 'batcher' } : undefined;
    }
    this.batchers.set(batcher, { beat, atMs });
    return known ? undefined : { what: 'arrived', who: batcher, role: 'batcher' };
  }

  /** Forgets the silent. */
  silent(nowMs: number, silenceMs: number): NonNullable<Change>[] {
    const gone: NonNullable<Change>[] = [];
    const sweep = (heard: Map<string, Heard<unknown>>, role: 'host' | 'batcher' | 'router'): void => {
      for (const [who, { atMs }] of heard) {
        if (nowMs - atMs <= silenceMs) continue;
        heard.delete(who);
        gone.push({ what: 'gone', who, role });
      }
    };
    sweep(this.hosts, 'host');
    sweep(this.batchers, 'batcher');
    sweep(this.routers, 'router');
    return gone;
  }

  /** After a time without the bus nobody could be heard: all get the full time again. */
  excuse(nowMs: number): void {
    for (const heard of [this.hosts, this.routers, this.batchers] as Map<string, Heard<unknown>>[]) {
      for (const [who, { beat }] of heard) heard.set(who, { beat, atMs: nowMs });
    }
  }

  ready(host: string): HostBeat | undefined {
    const beat = this.hosts.get(host)?.beat;
    return beat?.state === 'ready' ? beat : undefined;
  }

  /** Hosts that may be planned with. */
  views(draining: ReadonlySet<string>, barred: (host: string) => ReadonlyMap<string, string>): HostView[] {
    return [...this.hosts].flatMap(([host, { beat }]) => {
      if (beat.state !== 'ready' || draining.has(host)) return [];
      const holds = beat.residents.filter(r => r.state !== 'releasing' && r.state !== 'failed').map(r => r.model);
      const { kind, memoryBytes } = beat.device;
      return [{ host, kind, memoryBytes, holds, barred: barred(host) }];
    });
  }

  holdings(): Map<string, Holdings> {
    return new Map(
      [...this.hosts].map(([host, { beat }]) => [
        host,
        { memoryBytes: beat.device.memoryBytes, residents: beat.residents },
      ]),
    );
  }

  /** Highest epoch that a router follows, by whichever leader. */
  followedEpoch(): number {
    return Math.max(0, ...[...this.routers.values()].map(heard => heard.beat.epoch));
  }

  /** Highest epoch that anybody obeys or follows. */
  highestEpoch(): number {
    return Math.max(this.followedEpoch(), this.foreignEpoch(''));
  }

  /** Highest epoch that somebody obeys or follows on behalf of another leader than `nonce`. */
  foreignEpoch(nonce: string): number {
    let highest = 0;
    for (const heard of [this.hosts, this.batchers])
      for (const { beat } of heard.values()) if (beat.nonce !== nonce) highest = Math.max(highest, beat.epoch);
    return highest;
  }
}
