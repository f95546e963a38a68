import { PayloadTooLargeError, PICTURE_BYTES_MAX } from '../../contracts/index.ts';
import type { Pixels } from './pixels.ts';

/** What a frame needs besides its picture. */
const ENVELOPE_BYTES = 1024;
const QUALITY_SMALLER = 60;
/** A JPEG of quality 60 has about half the bytes of one of 85 or more; some room for error. */
const BYTES_AT_SMALLER = 0.6;

/**
 * The JPEG, made smaller once (quality 60, and its sides as far as needed) where it would not fit one message.
 * @throws PayloadTooLargeError when that is not enough, InputError
 */
export async function fitJpeg(
  jpeg: Uint8Array,
  limits: { where: string; maxPayloadBytes: number; envelopeBytes: number },
  pixels: Pixels,
): Promise<{ jpeg: Uint8Array; scale: number }> {
  const maxBytes = Math.min(PICTURE_BYTES_MAX, limits.maxPayloadBytes - ENVELOPE_BYTES - limits.envelopeBytes);
  if (jpeg.byteLength <= maxBytes) return { jpeg, scale: 1 };
  const tooLarge = (bytes: number) =>
    new PayloadTooLargeError({ where: limits.where, bytes, maxBytes: Math.max(0, maxBytes) });
  if (maxBytes <= 0) throw tooLarge(jpeg.byteLength);
  const scale = Math.min(1, Math.sqrt(maxBytes / (jpeg.byteLength * BYTES_AT_SMALLER)));
  const smaller = await pixels.encodeJpeg({ encoding: 'jpeg', data: jpeg }, { quality: QUALITY_SMALLER, scale });
  if (smaller.byteLength > maxBytes) throw tooLarge(smaller.byteLength);
  return { jpeg: smaller, scale };
}
