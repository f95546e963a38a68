import type { HostBeat, Progress } from '../../contracts/index.ts';
import { Pace } from './pace.ts';
import type { Grant, HostView } from './policy/index.ts';
import type { Seat } from './seat.ts';

/** A host without any sign of life for so long may not be used. */
const SILENCE_MS_MAX = 3000;
/** A host that does not start a batch within this of its time gets no more until it gives a sign of life. */
export const START_GRACE_MS = 1000;

/** A batch that was granted to a host. */
export interface Booking {
  readonly batch: string;
  readonly pool: string;
  readonly seat: Seat;
  readonly size: number;
  readonly bytes: number;
  /** By the profile. */
  readonly meanMs: number;
  readonly expectedMs: number;
  readonly grantedAtMs: number;
  /** When it should start; `startBy` is when its host counts as stuck. */
  startAtMs: number;
  startByMs: number;
  /** Nothing is granted behind it before it has finished. */
  readonly alone?: boolean;
  /** What the policy said. */
  readonly grant?: Grant | undefined;
}

/** So many batches may be granted that have not started: a short run, and one whose payloads take longer to come than it lasts. */
const GRANTED_MAX = 2;

/**
 * What the batcher knows of one host, from its beats, its progress and the grants given to it: at most one running and {@link GRANTED_MAX}
 * granted.
 */
export class Host implements HostView {
  readonly name: string;
  /** Where the pools in force use it. */
  seats: readonly Seat[] = [];
  /** Called whenever what pools see of it may have changed. */
  watchers: readonly (() => void)[] = [];
  emulated = false;
  pace = new Pace();
  /** Has run one alone since the latest ordinary batch: those come first now. */
  owesBatch = false;
  #leadMsMax = 0;
  #reserved = false;
  #relieved = false;
  #freeAtMs = -Infinity;
  #seenAtMs = -Infinity;
  #ready = false;
  #incarnation = '';
  #residents: ReadonlySet<string> = new Set();
  /** In the order in which they should start. */
  #granted: Booking[] = [];
  #running: Booking | undefined;
  /** From then on a host that says that it has nothing to do has ended it: word of that got lost. */
  #runEndsByMs = -Infinity;

  constructor(name: string) {
    this.name = name;
  }

  get leadMsMax(): number {
    return this.#leadMsMax;
  }

  /** Kept free for an invocation that must run alone. */
  get reserved(): boolean {
    return this.#reserved;
  }
  set reserved(reserved: boolean) {
    this.#reserved = reserved;
    this.#changed();
  }

  /** It is slow and others are there: it gets probes only. */
  get relieved(): boolean {
    return this.#relieved;
  }
  set relieved(relieved: boolean) {
    if (relieved === this.#relieved) return;
    this.#relieved = relieved;
    this.#changed();
  }

  get freeAtMs(): number {
    return this.#freeAtMs;
  }

  get granted(): boolean {
    return this.#granted.length > 0 || this.apart;
  }

  get openUntilMs(): number {
    if (this.apart || this.#granted.length >= GRANTED_MAX) return -Infinity;
    return this.#granted[0]?.startAtMs ?? Infinity;
  }

  /** Given to an invocation that runs alone. */
  get apart(): boolean {
    return this.#reserved || ((this.#granted[0] ?? this.#running)?.alone ?? false);
  }

  /** Nothing that was granted is left to do there. */
  get idle(): boolean {
    return this.#granted.length === 0 && this.#running === undefined;
  }

  get bookedUntilMs(): number {
    let untilMs = this.#freeAtMs;
    for (const { startAtMs, expectedMs } of this.#granted) untilMs = Math.max(untilMs, startAtMs) + expectedMs;
    return untilMs;
  }

  get usableUntilMs(): number {
    return this.#relieved ? -Infinity : this.#aliveUntilMs;
  }

  /** Relieved or not, it is there. */
  isAlive(nowMs: number): boolean {
    return nowMs <= this.#aliveUntilMs;
  }

  get #aliveUntilMs(): number {
    if (!this.#ready) return -Infinity;
    let untilMs = this.#seenAtMs + SILENCE_MS_MAX;
    for (const { startByMs } of this.#granted) untilMs = Math.min(untilMs, startByMs);
    return untilMs;
  }

  get seenAtMs(): number {
    return this.#seenAtMs;
  }

  holds(model: string): boolean {
    return this.#residents.has(model);
  }

  /** Brings {@link leadMsMax} up to date. */
  measure(): void {
    let leadMsMax = 0;
    for (const seat of this.seats) leadMsMax = Math.max(leadMsMax, seat.leadMs(seat.batchMax));
    if (leadMsMax === this.#leadMsMax) return;
    this.#leadMsMax = leadMsMax;
    this.#changed();
  }

  grant(booking: Booking): void {
    this.#granted.push(booking);
    this.owesBatch = booking.alone ?? false;
    this.#changed();
  }

  /** Takes in a beat: what the host says of itself counts, except about batches whose outline it can't have seen yet. */
  beat(beat: HostBeat, nowMs: number): void {
    const restarted = this.#incarnation !== '' && beat.incarnation !== this.#incarnation;
    if (restarted) {
      this.#granted = [];
      this.#running = undefined;
      this.#freeAtMs = nowMs;
      this.pace = new Pace();
      this.relieved = false;
    }
    this.#incarnation = beat.incarnation;
    this.#seenAtMs = nowMs;
    this.#ready = beat.state === 'ready';
    this.emulated = beat.device.emulated;
    this.#residents = new Set(beat.residents.filter(r => r.state === 'resident').map(r => r.model));
    this.#reconcile(beat, nowMs);
    this.#changed();
    for (const seat of this.seats) seat.refresh();
  }

  /** Takes in how a batch got on, said at `saidAtMs`; answers the booking that it is about, if it is one of this batcher's. */
  progress(progress: Progress, nowMs: number, saidAtMs = nowMs): Booking | undefined {
    this.#seenAtMs = nowMs;
    this.#changed();
    const at = this.#granted.findIndex(({ batch }) => batch === progress.batch);
    const booking = at >= 0 ? this.#granted[at]! : this.#running;
    if (booking?.batch !== progress.batch) return undefined;
    if (at >= 0) this.#granted.splice(at, 1);
    else this.#running = undefined;
    if (progress.phase === 'started') this.#running = booking;
    if (progress.phase === 'refused') this.#dismiss(booking);
    // With a batch granted behind this one, what the host says may or may not count that in.
    else if (this.#granted.length === 0 && progress.freeInMs > 0) this.#freeAtMs = saidAtMs + progress.freeInMs;
    else this.#freeAtMs = saidAtMs + (progress.phase === 'started' ? booking.expectedMs : 0);
    if (booking === this.#running) this.#runEndsByMs = this.#freeAtMs + START_GRACE_MS;
    let beforeMs = this.#freeAtMs;
    for (const granted of this.#granted) {
      granted.startByMs = Math.max(granted.startByMs, beforeMs + START_GRACE_MS);
      beforeMs += granted.expectedMs;
    }
    return booking;
  }

  #changed(): void {
    for (const watch of this.watchers) watch();
  }

  /** The host refused a batch of this seat: its models count as absent until the next beat. */
  #dismiss(booking: Booking): void {
    for (const seat of this.seats) if (seat.model === booking.seat.model) seat.dismiss();
  }

  #reconcile(beat: HostBeat, nowMs: number): void {
    // A start is overdue: the outline got lost, when the host has nothing; else it is late, and says when it will be free.
    const overdue = this.#granted.filter(({ startByMs }) => nowMs > startByMs);
    if (beat.backlog === 0) this.#granted = this.#granted.filter(granted => !overdue.includes(granted));
    else for (const granted of overdue) granted.startByMs = nowMs + beat.freeInMs + START_GRACE_MS;
    if (this.#running && beat.backlog === 0 && nowMs > this.#runEndsByMs) this.#running = undefined;
    // This also tells of batches of another batcher, or granted before this one started.
    if (this.#granted.length === 0) this.#freeAtMs = nowMs + beat.freeInMs;
  }
}
