import { DueHeap } from './due-heap.ts';
import { INSTANT_MS, isUsable, type Around, type HostView } from './view.ts';

/** Asks every host. */
export function lookAround(hosts: readonly HostView[], nowMs: number): Around {
  const near: HostView[] = [];
  let nearAtMs = Infinity;
  for (const host of hosts) {
    if (host.openUntilMs === -Infinity || !isUsable(host, nowMs)) continue;
    const fromMs = host.bookedUntilMs - host.leadMsMax;
    if (fromMs <= nowMs + INSTANT_MS) near.push(host);
    else nearAtMs = Math.min(nearAtMs, fromMs);
  }
  return { idle: idleOf(near, nowMs), near, nearAtMs };
}

/** Knows who is near and who comes next, and asks those again that have changed or may have fallen silent. Times only grow. */
export class Surroundings {
  readonly #hosts: readonly HostView[];
  /** When those that can be granted a batch and are not near come near. */
  readonly #coming: DueHeap;
  readonly #changed: number[] = [];
  readonly #hasChanged: Uint8Array;
  /** In the order of the hosts. */
  readonly #near: number[] = [];
  readonly #isNear: Uint8Array;
  /** Of the near ones, for readers: a list of its own for each change. */
  #nearHosts: readonly HostView[] = [];
  /** No host that can be granted a batch counts as gone before. */
  #untilMs = Infinity;
  #around: Around = { idle: 0, near: [], nearAtMs: Infinity };

  constructor(hosts: readonly HostView[]) {
    this.#hosts = hosts;
    this.#coming = new DueHeap(hosts.length);
    this.#hasChanged = new Uint8Array(hosts.length);
    this.#isNear = new Uint8Array(hosts.length);
    for (let i = 0; i < hosts.length; i++) this.changed(i);
  }

  /** The host with this index is not what it was. */
  changed(index: number): void {
    if (this.#hasChanged[index] === 1) return;
    this.#hasChanged[index] = 1;
    this.#changed.push(index);
  }

  at(nowMs: number): Around {
    if (nowMs > this.#untilMs) {
      this.#untilMs = Infinity;
      for (let i = 0; i < this.#hosts.length; i++) this.changed(i);
    }
    let moved = false;
    for (const index of this.#changed) moved = this.#place(index, nowMs) || moved;
    this.#changed.length = 0;
    for (; this.#coming.firstAtMs <= nowMs + INSTANT_MS; moved = true) this.#enter(this.#coming.first!);
    if (moved) this.#nearHosts = this.#near.map(index => this.#hosts[index]!);
    const idle = idleOf(this.#nearHosts, nowMs);
    const nearAtMs = this.#coming.firstAtMs;
    const known = this.#around;
    if (moved || idle !== known.idle || nearAtMs !== known.nearAtMs)
      this.#around = { idle, near: this.#nearHosts, nearAtMs };
    return this.#around;
  }

  /** Whether one left those near; who comes near enters by way of the heap. */
  #place(index: number, nowMs: number): boolean {
    const host = this.#hosts[index]!;
    this.#hasChanged[index] = 0;
    const counts = host.openUntilMs > -Infinity && isUsable(host, nowMs);
    const comesAtMs = counts ? host.bookedUntilMs - host.leadMsMax : Infinity;
    if (counts) this.#untilMs = Math.min(this.#untilMs, host.usableUntilMs);
    if (this.#isNear[index] === 1) {
      if (comesAtMs <= nowMs + INSTANT_MS) return false;
      this.#isNear[index] = 0;
      this.#near.splice(this.#near.indexOf(index), 1);
      this.#coming.set(index, comesAtMs);
      return true;
    }
    this.#coming.set(index, comesAtMs);
    return false;
  }

  #enter(index: number): void {
    this.#coming.set(index, Infinity);
    this.#isNear[index] = 1;
    let at = this.#near.length;
    while (at > 0 && this.#near[at - 1]! > index) at--;
    this.#near.splice(at, 0, index);
  }
}

function idleOf(near: readonly HostView[], nowMs: number): number {
  let idle = 0;
  for (const host of near) if (!host.granted && host.freeAtMs <= nowMs) idle++;
  return idle;
}
