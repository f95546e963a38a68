import { INSTANT_MS, isUsable, type Around, type HostView } from './view.ts';

/** Asks every host. */
export function lookAround(hosts: readonly HostView[], nowMs: number): Around {
  const near: HostView[] = [];
  let nearAtMs = Infinity;
  let untilMs = Infinity;
  for (const host of hosts) {
    if (host.granted || !isUsable(host, nowMs)) continue;
    untilMs = Math.min(untilMs, host.usableUntilMs);
    const fromMs = host.freeAtMs - host.leadMsMax;
    if (fromMs <= nowMs + INSTANT_MS) near.push(host);
    else nearAtMs = Math.min(nearAtMs, fromMs);
  }
  return { idle: idleOf(near, nowMs), near, nearAtMs, untilMs };
}

/** Remembers who is near until a host changes, another one comes near, or one falls silent: arrivals come more often than these. */
export class Surroundings {
  readonly #hosts: readonly HostView[];
  #known: Around | undefined;

  constructor(hosts: readonly HostView[]) {
    this.#hosts = hosts;
  }

  /** A host is not what it was. */
  changed(): void {
    this.#known = undefined;
  }

  at(nowMs: number): Around {
    const known = this.#known;
    if (!known || nowMs > known.untilMs || nowMs + INSTANT_MS >= known.nearAtMs)
      return (this.#known = lookAround(this.#hosts, nowMs));
    const idle = idleOf(known.near, nowMs);
    return idle === known.idle ? known : (this.#known = { ...known, idle });
  }
}

const idleOf = (near: readonly HostView[], nowMs: number): number => {
  let idle = 0;
  for (const host of near) if (host.freeAtMs <= nowMs) idle++;
  return idle;
};
