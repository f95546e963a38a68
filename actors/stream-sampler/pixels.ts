import { InputError, type Picture } from '../../contracts/index.ts';
import { THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH } from './change.ts';

/** Work on pixels, off the event loop. */
export interface Pixels {
  /**
   * As JPEG. `quality` 1..100, `scale` 0 < scale ≤ 1 of the sides. @throws InputError when the picture can't be decoded
   */
  encodeJpeg(picture: Picture, options: { quality: number; scale?: number }): Promise<Uint8Array>;
  /**
   * Gray, uint8 [90, 160], stretched. @throws InputError when the picture can't be decoded, also when it is truncated
   */
  thumbnail(picture: Picture): Promise<Uint8Array>;
}

/** With sharp, loaded on first use. */
export const sharpPixels: Pixels = {
  encodeJpeg: async (picture, { quality, scale = 1 }) =>
    withSharp(async sharp => {
      const image = sharp(picture.data, inputOptions(picture));
      if (scale < 1) {
        const { width, height, orientation = 1 } = await image.metadata();
        image.resize({ width: Math.max(1, Math.round((orientation > 4 ? height : width) * scale)) });
      }
      return image.autoOrient().flatten().jpeg({ quality }).toBuffer();
    }),
  thumbnail: async picture =>
    withSharp(async sharp =>
      sharp(picture.data, inputOptions(picture))
        .resize(THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT, { fit: 'fill', kernel: 'linear' })
        .flatten()
        .toColourspace('b-w')
        .raw()
        .toBuffer(),
    ),
};

type Sharp = typeof import('sharp')['default'];

async function withSharp<T>(work: (sharp: Sharp) => Promise<T>): Promise<T> {
  const { default: sharp } = await import('sharp');
  try {
    return await work(sharp);
  } catch (error) {
    throw new InputError(`the picture can not be decoded: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** A few kilobytes can decode to gigabytes: a picture of more than 64 megapixels is refused before it is decoded. */
function inputOptions(picture: Picture) {
  const limits = { failOn: 'truncated', limitInputPixels: 64 * 1024 * 1024, sequentialRead: true } as const;
  if (picture.encoding !== 'rgb') return limits;
  const { width = 0, height = 0, data } = picture;
  if (width < 1 || height < 1 || data.byteLength !== width * height * 3) {
    throw new InputError(`rgb of ${width}×${height} needs ${width * height * 3} bytes, there are ${data.byteLength}`);
  }
  return { ...limits, raw: { width, height, channels: 3 as const } };
}
