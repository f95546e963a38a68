/** A batch that waits for the device, as the order of starts sees it. Times on the host's clock. */
export interface Waiting {
  /** Latest start at which all of it can be in time; from then on it starts with what is there. */
  readonly latestMs: number;
  /** On the device. */
  readonly expectedMs: number;
  /** Inputs whose payload has not arrived, or is not prepared. */
  readonly unsettled: number;
}

export interface Step {
  /** Index of the batch to start now. */
  readonly start: number | undefined;
  /** When to look again if nothing happens before. */
  readonly wakeMs: number | undefined;
}

export const isReady = (batch: Waiting, nowMs: number): boolean => batch.unsettled === 0 || nowMs >= batch.latestMs;

/**
 * What a free device does next. Ready batches start in the order of their outlines. A ready batch overtakes one that still
 * waits for payloads, unless its run would carry that one past its latest start while it could itself run after it in time:
 * then waiting costs it nothing.
 */
export function nextStep(queue: readonly Waiting[], nowMs: number): Step {
  let awaited: Waiting[] | undefined;
  let wakeMs: number | undefined;
  for (let i = 0; i < queue.length; i++) {
    const batch = queue[i]!;
    if (!isReady(batch, nowMs)) {
      (awaited ??= []).push(batch);
      wakeMs = Math.min(wakeMs ?? Number.POSITIVE_INFINITY, batch.latestMs);
    } else if (!awaited?.some(earlier => yieldsTo(batch, earlier, nowMs))) {
      return { start: i, wakeMs: undefined };
    }
  }
  return { start: undefined, wakeMs };
}

const yieldsTo = (ready: Waiting, earlier: Waiting, nowMs: number): boolean =>
  nowMs + ready.expectedMs > earlier.latestMs && earlier.latestMs + earlier.expectedMs <= ready.latestMs;
