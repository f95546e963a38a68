import { SourceError } from '../../../contracts/index.ts';

const BUFFERED_BYTES_MAX = 32 * 1024 * 1024;
const START = Buffer.from([0xff, 0xd8, 0xff]);
const END = Buffer.from([0xff, 0xd9]);

/**
 * Cuts a stream of JPEGs that follow each other (MJPEG) into pictures. Inside the compressed data of a JPEG every 0xff
 * is followed by 0x00 or a restart marker, so ff d9 ends it; encoders that embed a thumbnail are not expected here.
 */
export class JpegSplitter {
  #pending: Buffer = Buffer.alloc(0);
  /** Up to here `#pending` holds no end of picture. */
  #scanned = 0;

  /** The pictures that are whole now; each has memory of its own. @throws SourceError when a picture never ends */
  push(chunk: Buffer): Uint8Array[] {
    const pictures: Uint8Array[] = [];
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    for (;;) {
      const end = this.#pending.indexOf(END, this.#scanned);
      if (end < 0) break;
      const start = this.#pending.indexOf(START);
      if (start >= 0 && start < end) pictures.push(Uint8Array.prototype.slice.call(this.#pending, start, end + 2));
      this.#pending = this.#pending.subarray(end + 2);
      this.#scanned = 0;
    }
    this.#scanned = Math.max(0, this.#pending.length - 1);
    if (this.#pending.length > BUFFERED_BYTES_MAX) {
      throw new SourceError(`the source gives no JPEG stream: ${this.#pending.length} bytes without an end of picture`);
    }
    return pictures;
  }
}
