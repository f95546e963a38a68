import type { Pixels } from '../imaging.ts';
import { bytesBehind } from '../tensors.ts';
import type { PictureSettings } from './picture.ts';

export const channelsOf = (settings: PictureSettings): number => (settings.color === 'gray' ? 1 : 3);

/** One value per channel from a list of one or of all. */
const perChannel = (values: readonly number[] | undefined, channel: number, otherwise: number): number =>
  values === undefined ? otherwise : (values[values.length === 1 ? 0 : channel] ?? otherwise);

/** x = (value·scale − mean) / std for each of the 256 values a byte can have: one look-up a pixel. */
function tableOf(settings: PictureSettings, channel: number): Float32Array {
  const integer = settings.type === 'uint8';
  const scale = settings.scale ?? (integer ? 1 : 1 / 255);
  const mean = perChannel(settings.mean, channel, 0);
  const std = perChannel(settings.std, channel, 1);
  return Float32Array.from({ length: 256 }, (_, value) => {
    const x = (value * scale - mean) / std;
    return integer ? Math.min(255, Math.max(0, Math.round(x))) : x;
  });
}

/** ITU-R BT.601 luma of rgb pixels, one byte each. */
function luma({ width, height, data }: Pixels): Uint8Array {
  const gray = new Uint8Array(width * height);
  for (let i = 0, at = 0; i < gray.length; i++, at += 3)
    gray[i] = 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]! + 0.5;
  return gray;
}

/**
 * The input tensor of one picture: `pixels` in the upper left corner of [C,height,width] (nchw) or [height,width,C], the rest
 * padded. `fill` is what padding looks like after normalisation, per channel.
 */
export function pictureTensor(settings: PictureSettings, pixels: Pixels, width: number, height: number) {
  const channels = channelsOf(settings);
  const plane = width * height;
  const tables = Array.from({ length: channels }, (_, channel) => tableOf(settings, channel));
  const source = channels === 1 ? luma(pixels) : pixels.data;
  const values = settings.type === 'uint8' ? new Uint8Array(plane * channels) : new Float32Array(plane * channels);
  const nchw = (settings.layout ?? 'nchw') === 'nchw';
  const fill = tables.map(table => padding(settings, table));
  tables.forEach((table, channel) => {
    const from = settings.color === 'bgr' ? 2 - channel : channel;
    const base = nchw ? channel * plane : channel;
    const stride = nchw ? 1 : channels;
    if (pixels.width < width || pixels.height < height)
      for (let i = 0, at = base; i < plane; i++, at += stride) values[at] = fill[channel]!;
    for (let y = 0; y < pixels.height; y++) {
      let at = base + y * width * stride;
      for (let x = 0, p = y * pixels.width * channels + from; x < pixels.width; x++, p += channels, at += stride)
        values[at] = table[source[p]!]!;
    }
  });
  return { data: bytesBehind(values) as Uint8Array<ArrayBuffer>, fill };
}

/** `padValue` may lie between two bytes (127.5), so that it is exactly 0 after normalisation. */
function padding(settings: PictureSettings, table: Float32Array): number {
  const value = Math.min(255, Math.max(0, settings.padValue ?? 0));
  const low = Math.floor(value);
  const high = Math.ceil(value);
  return table[low]! + (table[high]! - table[low]!) * (value - low);
}
