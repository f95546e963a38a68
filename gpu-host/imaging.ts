import sharp, { type Sharp } from 'sharp';
import {
  describeError,
  InputError,
  PICTURE_SIDE_MAX,
  type Imaging,
  type Picture,
  type Region,
  type Size,
} from '../contracts/index.ts';
import { checkRgb } from './payload.ts';
import { isTurned, sampleQuad } from './quad.ts';

/** A decoded picture: uint8 [height, width, 3], rgb. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Crops up to this size travel as plain pixels: encoding would cost more than it saves. */
const RGB_BYTES_MAX = 64 * 1024;
const CROP_QUALITY = 90;
/** Pixels that one file may decode to: a bomb of a few kilobytes must not take the memory. */
const PIXELS_MAX = 64 * 1024 * 1024;

const undecodable = (encoding: Picture['encoding'], error: unknown): InputError =>
  new InputError(`the ${encoding} can't be decoded: ${describeError(error).trim().split('\n')[0]}`, { cause: error });

/** sharp over a picture, turned upright as its EXIF says, in plain rgb. @throws InputError */
export function openPicture(picture: Picture): Sharp {
  if (picture.encoding === 'rgb') {
    const { width, height } = checkRgb(picture);
    return sharp(picture.data, { raw: { width, height, channels: 3 } });
  }
  if (picture.data.byteLength === 0) throw new InputError(`the ${picture.encoding} is empty`);
  return sharp(picture.data, { failOn: 'truncated', limitInputPixels: PIXELS_MAX, pages: 1 })
    .autoOrient()
    .flatten({ background: '#000' })
    .toColourspace('srgb');
}

/** Carries out a chain of sharp's that ends in plain pixels. @throws InputError saying what is wrong with the picture */
export async function toPixels(chain: Sharp, encoding: Picture['encoding']): Promise<Pixels> {
  try {
    const { data, info } = await chain.removeAlpha().raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    if (info.width > PICTURE_SIDE_MAX || info.height > PICTURE_SIDE_MAX)
      throw new InputError(`the picture is ${info.width}×${info.height}, a side may have ${PICTURE_SIDE_MAX}`);
    return { width: info.width, height: info.height, data };
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw undecodable(encoding, error);
  }
}

/** Decodes a picture whole. An `rgb` one is returned as it is, not copied. @throws InputError */
export async function decode(picture: Picture): Promise<Pixels> {
  if (picture.encoding === 'rgb') return { ...checkRgb(picture), data: picture.data };
  return toPixels(openPicture(picture), picture.encoding);
}

/** @param quality 1..100 */
export async function encodeJpeg(pixels: Pixels, quality = 85): Promise<Picture> {
  const { width, height } = pixels;
  const { data } = await sharp(pixels.data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality })
    .toBuffer({ resolveWithObject: true });
  return { encoding: 'jpeg', width, height, data: new Uint8Array(data) };
}

/** The picture as `side`×`side` gray bytes, its ratio ignored: to tell whether something changed. @throws InputError */
export async function thumbnail(picture: Picture, side: number): Promise<Uint8Array> {
  const chain = openPicture(picture).resize(side, side, { fit: 'fill', kernel: 'linear' }).greyscale();
  try {
    return new Uint8Array(await chain.removeAlpha().toColourspace('b-w').raw({ depth: 'uchar' }).toBuffer());
  } catch (error) {
    throw undecodable(picture.encoding, error);
  }
}

/** Whole pixels of a region inside the picture, at least 1×1. */
function clip(region: Region, width: number, height: number) {
  const left = Math.min(width - 1, Math.max(0, Math.floor(region.x)));
  const top = Math.min(height - 1, Math.max(0, Math.floor(region.y)));
  const right = Math.min(width, Math.max(left + 1, Math.ceil(region.x + region.width)));
  const bottom = Math.min(height, Math.max(top + 1, Math.ceil(region.y + region.height)));
  return { left, top, width: right - left, height: bottom - top };
}

/** Copies a rectangle out of a picture. */
function cut(pixels: Pixels, region: Region): Pixels {
  const { left, top, width, height } = clip(region, pixels.width, pixels.height);
  const data = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const from = ((top + row) * pixels.width + left) * 3;
    data.set(pixels.data.subarray(from, from + width * 3), row * width * 3);
  }
  return { width, height, data };
}

/** Size of a picture as it is shown (EXIF orientation applied), from its header alone. @throws InputError */
export async function pictureSize(picture: Picture): Promise<Size> {
  if (picture.encoding === 'rgb') return checkRgb(picture);
  try {
    const { width, height } = (await openPicture(picture).metadata()).autoOrient;
    return { width, height };
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw undecodable(picture.encoding, error);
  }
}

/**
 * The picture is decoded once; each region is copied out of it, a quad that is turned by more than a few degrees is
 * sampled upright. Decoding and encoding run on sharp's threads.
 */
export const imaging = {
  size: pictureSize,
  crop: async (picture, regions) => {
    for (const { x, y, width, height, quad } of regions)
      if (![x, y, width, height, ...(quad ?? [])].every(Number.isFinite) || (quad && quad.length !== 8))
        throw new InputError('a region needs finite x, y, width, height and, if any, a quad of 8 numbers');
    if (regions.length === 0) return [];
    const pixels = await decode(picture);
    return Promise.all(
      regions.map(async (region): Promise<Picture> => {
        const part = region.quad && isTurned(region.quad) ? sampleQuad(pixels, region.quad) : cut(pixels, region);
        return part.data.byteLength <= RGB_BYTES_MAX ? { encoding: 'rgb', ...part } : encodeJpeg(part, CROP_QUALITY);
      }),
    );
  },
} satisfies Imaging;
