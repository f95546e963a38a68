import type { AllocatorBeat, BatcherBeat, HostBeat, RouterBeat } from '../../../../contracts/index.ts';
import type { Process } from '../process.ts';
import { boundsOf, type Bounds } from '../programs.ts';
import type { Report, Rule } from '../watch.ts';

interface Heard<B> {
  readonly beat: B;
  readonly atMs: number;
}

/** What actors say of themselves: epochs never go back, memory and queues keep their bounds. */
export class BeatRules implements Rule {
  /** The latest beat that each process sent in its present life. */
  readonly hosts = new Map<string, Heard<HostBeat>>();
  readonly routers = new Map<string, Heard<RouterBeat>>();
  readonly batchers = new Map<string, Heard<BatcherBeat>>();
  readonly allocators = new Map<string, Heard<AllocatorBeat>>();
  /** Of whoever leads, as they change. */
  readonly phases: { readonly phase: AllocatorBeat['phase']; readonly atMs: number }[] = [];
  readonly #report: Report;
  readonly #bounds: Bounds;
  readonly #epochs = new Map<string, { epoch: number; nonce: string }>();

  constructor(report: Report) {
    this.#report = report;
    this.#bounds = boundsOf(report.scenario);
  }

  sent(process: Process, [family, role]: readonly string[], message: () => any): void {
    if (family !== 'beats') return;
    const atMs = this.#report.nowMs();
    const { id } = process;
    switch (role) {
      case 'host': {
        const beat = message() as HostBeat;
        this.hosts.set(id, { beat, atMs });
        this.#neverBack(process, beat.epoch, beat.nonce);
        const { memoryBytes } = beat.device;
        if (beat.persistentBytes + beat.ephemeralBytes > memoryBytes)
          this.#report.broken(
            'memory',
            `${id} says ${beat.persistentBytes} + ${beat.ephemeralBytes} of ${memoryBytes}`,
          );
        this.#bound(id, 'batches', beat.backlog, this.#bounds.batchesMax);
        return;
      }
      case 'router': {
        const beat = message() as RouterBeat;
        this.routers.set(id, { beat, atMs });
        this.#neverBack(process, beat.epoch, '');
        this.#bound(id, 'requests', beat.inFlight, this.#bounds.inFlightMax);
        this.#bound(id, 'bytes', beat.heldBytes, this.#bounds.heldBytesMax);
        return;
      }
      case 'batcher': {
        const beat = message() as BatcherBeat;
        this.batchers.set(id, { beat, atMs });
        this.#neverBack(process, beat.epoch, beat.nonce);
        const queued = beat.pools.reduce((sum, pool) => sum + pool.queued, 0);
        return this.#bound(id, 'invocations', queued, this.#bounds.queueMax);
      }
      case 'allocator': {
        const beat = message() as AllocatorBeat;
        this.allocators.set(id, { beat, atMs });
        if (beat.role === 'leader' && beat.phase !== this.phases.at(-1)?.phase)
          this.phases.push({ phase: beat.phase, atMs });
      }
    }
  }

  #bound(id: string, what: string, value: number, most: number): void {
    if (value > most) this.#report.broken('bounds', `${id} holds ${value} ${what}, ${most} are allowed`);
  }

  /** Within one life of the process. */
  #neverBack({ id, incarnation }: Process, epoch: number, nonce: string): void {
    const key = `${id} ${incarnation}`;
    const before = this.#epochs.get(key);
    if (before && epoch < before.epoch)
      this.#report.broken('epoch-back', `${id} goes from epoch ${before.epoch} back to ${epoch}`);
    if (before && epoch === before.epoch && before.nonce !== '' && nonce !== before.nonce)
      this.#report.broken('epoch-back', `${id} changes from ${before.nonce} to ${nonce} within epoch ${epoch}`);
    this.#epochs.set(key, { epoch, nonce });
  }
}
