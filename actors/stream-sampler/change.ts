/** Thumbnails for comparing are gray, uint8 [90, 160]: a quarter of 640×360. */
export const THUMBNAIL_WIDTH = 160;
export const THUMBNAIL_HEIGHT = 90;
const BLOCK = 2;

/**
 * How much changed between two thumbnails, 0..1: the mean absolute difference of the block (2×2, i.e. 1/80 of the
 * width) that changed most. A mean over more would drown the tick of a clock in the noise around it. Measured on the
 * synthetic broadcast (640×360, JPEG quality 85, 60 ticks): noise of 0.02, 0.05, 0.1 alone changes at most 0.015,
 * 0.033, 0.066, one digit at least 0.147.
 */
export function changeBetween(a: Uint8Array, b: Uint8Array): number {
  if (a.byteLength !== b.byteLength) return 1;
  let most = 0;
  for (let top = 0; top < THUMBNAIL_HEIGHT; top += BLOCK) {
    for (let left = 0; left < THUMBNAIL_WIDTH; left += BLOCK) {
      let sum = 0;
      for (let y = top; y < top + BLOCK; y++) {
        const row = y * THUMBNAIL_WIDTH;
        for (let x = left; x < left + BLOCK; x++) sum += Math.abs(a[row + x]! - b[row + x]!);
      }
      if (sum > most) most = sum;
    }
  }
  return most / (BLOCK * BLOCK * 255);
}

export const CHANGE_THRESHOLD = 0.08;
const KEEP_ALIVE_MS = 2000;

/** Remembers the last frame that was sent and says which of the next are worth sending. */
export class ChangeGate {
  readonly #threshold: number;
  readonly #keepAliveMs: number;
  #sent: { thumbnail: Uint8Array; atMs: number } | undefined;

  constructor(settings: { threshold?: number | undefined; keepAliveMs?: number | undefined }) {
    this.#threshold = settings.threshold ?? CHANGE_THRESHOLD;
    this.#keepAliveMs = settings.keepAliveMs ?? KEEP_ALIVE_MS;
  }

  isWorthSending(thumbnail: Uint8Array, nowMs: number): boolean {
    if (!this.#sent || nowMs - this.#sent.atMs >= this.#keepAliveMs) return true;
    return changeBetween(thumbnail, this.#sent.thumbnail) >= this.#threshold;
  }

  wasSent(thumbnail: Uint8Array, nowMs: number): void {
    this.#sent = { thumbnail, atMs: nowMs };
  }
}
