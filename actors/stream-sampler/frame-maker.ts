import { describeError, InputError, type StreamDocument } from '../../contracts/index.ts';
import { ChangeGate } from './change.ts';
import { fitJpeg } from './fit.ts';
import type { Pixels } from './pixels.ts';
import { JPEG_QUALITY, type Shot } from './sources/index.ts';

/** A picture that is worth publishing. */
export interface MadeFrame {
  readonly jpeg: Uint8Array;
  /** Below 1: its sides were made smaller to fit a message. */
  readonly scale: number;
  /** To be called when it was published: the next ones are compared with it. */
  wasSent(nowMs: number): void;
}

/** Makes of a source's pictures what is published: whole, changed, JPEG, not too large. */
export class FrameMaker {
  readonly #document: StreamDocument;
  readonly #pixels: Pixels;
  readonly #gate: ChangeGate | undefined;

  constructor(document: StreamDocument, pixels: Pixels) {
    this.#document = document;
    this.#pixels = pixels;
    this.#gate = document.skipUnchanged && new ChangeGate(document.skipUnchanged);
  }

  /** Undefined when nothing changed. @throws InputError when the picture is broken, PayloadTooLargeError */
  async make(shot: Shot, limits: { nowMs: number; maxPayloadBytes: number }): Promise<MadeFrame | undefined> {
    const thumbnail = this.#gate || !shot.sound ? await this.#thumbnailOf(shot) : undefined;
    if (this.#gate && thumbnail && !this.#gate.isWorthSending(thumbnail, limits.nowMs)) return undefined;
    const { picture, meta } = shot;
    const { jpegQuality: quality = JPEG_QUALITY, name } = this.#document;
    const encoded = picture.encoding === 'jpeg' ? picture.data : await this.#pixels.encodeJpeg(picture, { quality });
    const fitted = await fitJpeg(
      encoded,
      {
        where: `a frame of stream ${name}`,
        maxPayloadBytes: limits.maxPayloadBytes,
        envelopeBytes: meta ? 4 * JSON.stringify(meta).length : 0,
      },
      this.#pixels,
    );
    return {
      ...fitted,
      wasSent: nowMs => {
        if (thumbnail) this.#gate?.wasSent(thumbnail, nowMs);
      },
    };
  }

  async #thumbnailOf(shot: Shot): Promise<Uint8Array> {
    try {
      return await this.#pixels.thumbnail(shot.picture);
    } catch (error) {
      throw new InputError(`${shot.name ?? this.#document.source.kind}: ${describeError(error)}`, { cause: error });
    }
  }
}
