import test from 'ava';
import fc from 'fast-check';
import sharp from 'sharp';
import { InputError, type Picture } from '../../contracts/index.ts';
import { groups, joinFeeds } from '../../gpu-host/onnx/assemble.ts';
import { place, preprocessPicture, type PictureSettings } from '../../gpu-host/pre/picture.ts';
import type { Feed, PreprocessedInput } from '../../gpu-host/pre/input.ts';

const rgb = (width: number, height: number, ...data: number[]): Picture => ({
  encoding: 'rgb',
  width,
  height,
  data: Uint8Array.from(data),
});
const settings = (changes: Partial<PictureSettings> = {}): PictureSettings => ({
  kind: 'picture',
  width: 2,
  height: 1,
  fit: 'stretch',
  ...changes,
});
const valuesOf = ({ feeds }: PreprocessedInput): number[] => {
  const { type, data } = feeds[0]!;
  return type === 'uint8'
    ? [...data]
    : [...new Float32Array(data.buffer)].map(value => Math.round(value * 1000) / 1000);
};
const two = rgb(2, 1, 255, 0, 51, 0, 255, 102);

test('preprocess: colours, layouts and types put the same pixels where the model wants them', async t => {
  const of = async (changes: Partial<PictureSettings>) =>
    valuesOf(await preprocessPicture('x', settings(changes), two));
  t.deepEqual(await of({}), [1, 0, 0, 1, 0.2, 0.4]);
  t.deepEqual(await of({ color: 'bgr' }), [0.2, 0.4, 0, 1, 1, 0]);
  t.deepEqual(await of({ layout: 'nhwc' }), [1, 0, 0.2, 0, 1, 0.4]);
  t.deepEqual(await of({ type: 'uint8', layout: 'nhwc' }), [255, 0, 51, 0, 255, 102]);
  t.deepEqual(await of({ color: 'gray', type: 'uint8' }), [82, 161]);
  t.deepEqual(await of({ scale: 1, mean: [127], std: [128] }), [1, -0.992, -0.992, 1, -0.594, -0.195]);
  t.deepEqual(await of({ color: 'bgr', mean: [0.2, 0, 0.5], std: [0.1, 1, 2] }), [0, 2, 0, 1, 0.25, -0.25]);
});

test('preprocess: padding has the value asked for after normalisation', async t => {
  const made = await preprocessPicture(
    'x',
    settings({ width: 4, height: 1, fit: 'pad-right', mean: [0.5], std: [0.5], padValue: 127.5, color: 'gray' }),
    rgb(1, 1, 255, 255, 255),
  );
  t.deepEqual(valuesOf(made), [1, 0, 0, 0]);
  t.deepEqual(made.feeds[0]!.dims, [1, 1, 4]);
});

test('preprocess: a point of the picture maps into the input and back (every fit, any size)', t => {
  const side = fc.integer({ min: 1, max: 3000 });
  const fits = fc.constantFrom('stretch', 'contain', 'cover', 'pad-right' as const);
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fits,
        side,
        side,
        fc.integer({ min: 8, max: 640 }),
        fc.integer({ min: 8, max: 640 }),
        (fit, w, h, width, height) => {
          const { drawn, ...g } = place(settings({ fit, width, height }), w, h);
          const [right, bottom] = [w * g.scaleX + g.offsetX, h * g.scaleY + g.offsetY];
          if (fit === 'cover')
            return right >= width - 1e-6 && bottom >= height - 1e-6 && g.offsetX <= 0 && g.offsetY <= 0;
          return right <= width + 1e-6 && bottom <= height + 1e-6 && drawn.width >= 1 && drawn.height >= 1;
        },
      ),
    ),
  );
});

test('preprocess: contain keeps the ratio and pads below, cover cuts the middle out', async t => {
  const wide = rgb(
    4,
    2,
    ...Array.from({ length: 8 }, (_, i) => (i % 4 === 1 || i % 4 === 2 ? [255, 255, 255] : [0, 0, 0])).flat(),
  );
  const gray = { color: 'gray', type: 'uint8', width: 2, height: 2 } as const;
  const contained = await preprocessPicture('x', settings({ ...gray, fit: 'contain', padValue: 9 }), wide);
  t.deepEqual(valuesOf(contained).slice(2), [9, 9]);
  const covered = await preprocessPicture('x', settings({ ...gray, fit: 'cover' }), wide);
  t.deepEqual(valuesOf(covered), [255, 255, 255, 255]);
});

test('preprocess: lines are as wide as they need, and a batch as its widest', async t => {
  const line = (width: number) =>
    preprocessPicture('x', narrow, rgb(width, 2, ...Array.from({ length: width * 6 }, () => 255)));
  const narrow = settings({ width: 64, height: 2, fit: 'pad-right', widthStep: 4, color: 'gray', padValue: 51 });
  const feeds: Feed[] = [];
  for (const width of [3, 6, 100]) feeds.push((await line(width)).feeds[0]!);
  t.deepEqual(
    feeds.map(feed => feed.dims),
    [
      [1, 2, 4],
      [1, 2, 8],
      [1, 2, 64],
    ],
  );
  const mixed = [feeds[0]!, feeds[1]!, feeds[0]!].map(feed => [feed]);
  t.deepEqual(groups(mixed, { padding: true }), [[0, 1, 2]]);
  t.deepEqual(groups(mixed, { padding: false }), [[0, 2], [1]], 'where padding costs more than a run: by width');
  const joined = joinFeeds(feeds.slice(0, 2));
  t.deepEqual(joined.dims, [2, 1, 2, 8]);
  const rows = [...joined.data].map(value => Math.round(Number(value) * 10) / 10);
  t.deepEqual(rows.slice(0, 16), [1, 1, 1, 0.2, 0.2, 0.2, 0.2, 0.2, 1, 1, 1, 0.2, 0.2, 0.2, 0.2, 0.2]);
  t.deepEqual(rows.slice(16, 24), [1, 1, 1, 1, 1, 1, 0.2, 0.2]);
});

test('preprocess: rows of channels-last lines are filled up per channel', t => {
  const feed = (width: number, value: number): Feed => ({
    name: 'x',
    type: 'uint8',
    dims: [1, width, 3],
    data: new Uint8Array(width * 3).fill(value),
    ragged: { layout: 'nhwc', fill: [7, 8, 9] },
  });
  t.deepEqual([...joinFeeds([feed(1, 1), feed(2, 2)]).data], [1, 1, 1, 7, 8, 9, 2, 2, 2, 2, 2, 2]);
});

test('preprocess: jpeg, png with alpha, gray and turned pictures all become rgb', async t => {
  const red = sharp({ create: { width: 8, height: 4, channels: 3, background: '#f00' } });
  const wanted = settings({ width: 8, height: 4, type: 'uint8', layout: 'nhwc' });
  const first = async (data: Buffer, encoding: 'jpeg' | 'png') => {
    const made = await preprocessPicture('x', wanted, { encoding, data: new Uint8Array(data) });
    return { pixel: valuesOf(made).slice(0, 3), geometry: made.info.geometry! };
  };
  t.deepEqual((await first(await red.clone().png().toBuffer(), 'png')).pixel, [255, 0, 0]);
  t.deepEqual((await first(await red.clone().ensureAlpha(0).png().toBuffer(), 'png')).pixel, [0, 0, 0]);
  const gray = await red.clone().greyscale().jpeg().toBuffer();
  const { pixel } = await first(gray, 'jpeg');
  t.true(pixel[0] === pixel[1] && pixel[1] === pixel[2]);
  const turned = await first(await red.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer(), 'jpeg');
  t.like(turned.geometry, { width: 4, height: 8 });
});

test('preprocess: what is no picture is an input error that says why', async t => {
  const jpeg = new Uint8Array(
    await sharp({ create: { width: 64, height: 64, channels: 3, background: '#0f0' } })
      .jpeg()
      .toBuffer(),
  );
  const refused = (picture: Picture, message: RegExp) =>
    t.throwsAsync(preprocessPicture('x', settings(), picture), { instanceOf: InputError, message });
  await refused({ encoding: 'jpeg', data: jpeg.subarray(0, jpeg.length >> 1) }, /jpeg can't be decoded/);
  await refused({ encoding: 'jpeg', data: Uint8Array.of(1, 2, 3) }, /jpeg can't be decoded/);
  await refused({ encoding: 'png', data: new Uint8Array() }, /png is empty/);
  await refused(rgb(2, 2, 1, 2, 3), /12 bytes, this one 3/);
  await refused({ encoding: 'rgb', data: Uint8Array.of(1, 2, 3) }, /needs its width and height/);
});
