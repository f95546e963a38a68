/** A rise so soon after a fall means that the fall was in vain. */
const REGRET_MS = 600_000;
/** After the first such rise a low rate must last for so long, after each further one twice as long. */
const HOLD_MS = 30_000;
const HOLD_MS_MAX = 600_000;
/** Rates of plans that differ by less are the same. */
const SAME = 0.95;

interface Known {
  /** Since when it has needed less than what is planned. */
  lowSinceMs?: number | undefined;
  /** Planned for less then, and not for more since. */
  fellAtMs?: number | undefined;
  holdMs: number;
}

/** When to plan for less: at once, but later each time that it was regretted. Else every burst of frames would bring devices and let them go again. */
export class Falls {
  readonly #known = new Map<string, Known>();

  /** What sessions are planned for from now on, after what they were planned for. */
  planned(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>, nowMs: number): void {
    for (const session of this.#known.keys()) if (!after.has(session)) this.#known.delete(session);
    for (const [session, afterHz] of after) {
      const beforeHz = before.get(session) ?? afterHz;
      const known = this.#known.get(session);
      const { fellAtMs = nowMs, holdMs = 0 } = known ?? {};
      const forgotten = nowMs - fellAtMs > REGRET_MS;
      if (afterHz < SAME * beforeHz) this.#known.set(session, { fellAtMs: nowMs, holdMs: forgotten ? 0 : holdMs });
      else if (known?.fellAtMs !== undefined && !forgotten && SAME * afterHz > beforeHz)
        this.#known.set(session, { holdMs: Math.min(HOLD_MS_MAX, Math.max(HOLD_MS, 2 * holdMs)) });
    }
  }

  /** It needs less than what is planned, as far as can be seen now. @returns whether it has for long enough */
  low(session: string, nowMs: number): boolean {
    const known = this.#known.get(session);
    if (!known || known.holdMs === 0) return true;
    known.lowSinceMs ??= nowMs;
    return nowMs - known.lowSinceMs >= known.holdMs;
  }

  /** It needs what is planned. */
  used(session: string): void {
    const known = this.#known.get(session);
    if (known) known.lowSinceMs = undefined;
  }
}
