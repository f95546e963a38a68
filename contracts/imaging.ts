import type { Picture } from './messages/picture.ts';

/** A part of a picture in its pixels. With `quad` (x0 y0 … x3 y3, clockwise) the part is turned upright. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly quad?: readonly number[];
}

/** In pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Work on pixels, off the event loop; what takes no time may be answered at once. */
export interface Imaging {
  /**
   * Cuts regions out, clipped to the picture; the answers are `rgb` or, where that would be large, `jpeg`; at least 1×1.
   * @throws InputError when the picture can't be decoded
   */
  crop(picture: Picture, regions: readonly Region[]): readonly Picture[] | Promise<readonly Picture[]>;
  /** As it is shown (EXIF orientation applied), from its header alone. @throws InputError */
  size(picture: Picture): Size | Promise<Size>;
}
