import { encodeJpeg } from '../../gpu-host/index.ts';

/** A JPEG with soft shapes and some grain, so that it costs as much to decode as a photograph of its size. */
export async function photograph(width: number, height: number): Promise<Uint8Array> {
  const data = new Uint8Array(width * height * 3);
  let grain = 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      grain = (grain * 1103515245 + 12345) & 0x7fffffff;
      const shade = 128 + 80 * Math.sin(x / 37) * Math.cos(y / 23) + ((grain >> 16) % 16);
      const at = (y * width + x) * 3;
      data[at] = shade;
      data[at + 1] = 255 - shade;
      data[at + 2] = (x + y) & 0xff;
    }
  }
  return (await encodeJpeg({ width, height, data })).data;
}
