import type { Payload, Payloads } from '../../contracts/index.ts';

interface Held {
  readonly message: Payloads;
  readonly bytes: number;
  readonly untilMs: number;
}

/** Payloads that came before their outline: held for a while, bounded in bytes, in order of arrival. */
export class EarlyPayloads {
  readonly #byBatch = new Map<string, Held[]>();
  readonly #holdMs: number;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bounds: { readonly holdMs: number; readonly bytesMax: number }) {
    this.#holdMs = bounds.holdMs;
    this.#bytesMax = bounds.bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** When the first of them expires. */
  get expiryMs(): number | undefined {
    let first: number | undefined;
    for (const [held] of this.#byBatch.values()) first = Math.min(first ?? Number.POSITIVE_INFINITY, held!.untilMs);
    return first;
  }

  /** Keeps a copy: decoded binary is a view on its packet. False when there is no room. */
  hold(message: Payloads, bytes: number, nowMs: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    const copy = { ...message, payloads: message.payloads.map(copyOf) };
    const held = this.#byBatch.get(message.batch) ?? [];
    held.push({ message: copy, bytes, untilMs: nowMs + this.#holdMs });
    this.#byBatch.set(message.batch, held);
    this.#bytes += bytes;
    return true;
  }

  /** What came for this batch; it is not held any more. */
  take(batch: string): Payloads[] {
    const held = this.#byBatch.get(batch) ?? [];
    this.#byBatch.delete(batch);
    for (const { bytes } of held) this.#bytes -= bytes;
    return held.map(h => h.message);
  }

  /** What was held long enough (with the rest of its batch): its outline will not come any more. */
  expire(nowMs: number): Payloads[] {
    const expired: Payloads[] = [];
    for (const [batch, [first]] of this.#byBatch) {
      if (first!.untilMs <= nowMs) expired.push(...this.take(batch));
    }
    return expired;
  }
}

function copyOf(payload: Payload): Payload {
  if (payload.encoding !== 'tensors') return { ...payload, data: payload.data.slice() };
  const tensors = Object.entries(payload.tensors).map(([name, t]) => [name, { ...t, data: t.data.slice() }] as const);
  return { encoding: 'tensors', tensors: Object.fromEntries(tensors) };
}
