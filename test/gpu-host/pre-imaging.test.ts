import test from 'ava';
import { InputError, type Picture } from '../../contracts/index.ts';
import { decode, encodeJpeg, imaging, thumbnail, type Pixels } from '../../gpu-host/index.ts';
import { isTurned } from '../../gpu-host/quad.ts';

/** Each pixel tells its place: red is x, green is y. */
function ramp(width: number, height: number): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) for (let x = 0; x < width; x++, at += 3) data.set([x, y, 128], at);
  return { width, height, data };
}
const picture: Picture = { encoding: 'rgb', ...ramp(200, 100) };
const pixel = ({ width = 0, data }: Picture, x: number, y: number) => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 2),
];

test('imaging: regions are cut out in whole pixels, clipped to the picture, at least 1×1', async t => {
  const [part, corner, outside, empty] = await imaging.crop(picture, [
    { x: 10.4, y: 20, width: 30, height: 40 },
    { x: 190, y: 90, width: 50, height: 50 },
    { x: 500, y: -80, width: 10, height: 10 },
    { x: 5, y: 6, width: 0, height: 0 },
  ]);
  t.like(part, { encoding: 'rgb', width: 31, height: 40 });
  t.deepEqual(pixel(part!, 0, 0), [10, 20]);
  t.deepEqual(pixel(part!, 30, 39), [40, 59]);
  t.like(corner, { width: 10, height: 10 });
  t.like(outside, { width: 1, height: 1 });
  t.deepEqual(pixel(empty!, 0, 0), [5, 6]);
  t.deepEqual(await imaging.crop(picture, []), []);
});

test('imaging: a turned quad comes upright, a hardly turned one as it lies', async t => {
  // A quarter turn: what was the right side becomes the upper one.
  const quad = [60, 20, 60, 80, 40, 80, 40, 20];
  const [upright] = await imaging.crop(picture, [{ x: 40, y: 20, width: 20, height: 60, quad }]);
  t.like(upright, { encoding: 'rgb', width: 60, height: 20 });
  t.deepEqual(pixel(upright!, 0, 0), [59, 20]);
  t.deepEqual(pixel(upright!, 59, 0), [59, 79]);
  t.deepEqual(pixel(upright!, 0, 19), [40, 20]);
  t.false(isTurned([0, 0, 100, 2, 100, 22, 0, 20]));
  t.true(isTurned([0, 0, 100, 20, 96, 40, -4, 20]));
});

test('imaging: large crops travel as jpeg, files are decoded once for all regions', async t => {
  const jpeg = await encodeJpeg(ramp(250, 200), 95);
  const [large, small] = await imaging.crop(jpeg, [
    { x: 0, y: 0, width: 240, height: 180 },
    { x: 100, y: 50, width: 20, height: 10 },
  ]);
  t.like(large, { encoding: 'jpeg', width: 240, height: 180 });
  t.like(await decode(large!), { width: 240, height: 180 });
  t.is(small?.encoding, 'rgb');
  const [x = 0, y = 0] = pixel(small!, 0, 0);
  t.true(Math.abs(x - 100) < 8 && Math.abs(y - 50) < 8, `${x},${y}`);
});

test('imaging: thumbnails are gray squares that follow the picture', async t => {
  const white = { encoding: 'rgb' as const, width: 30, height: 20, data: new Uint8Array(1800).fill(255) };
  t.deepEqual([...(await thumbnail(white, 2))], [255, 255, 255, 255]);
  const gray = await thumbnail(await encodeJpeg(ramp(200, 100)), 8);
  t.is(gray.length, 64);
  t.true(gray[7]! > gray[0]! && gray[56]! > gray[0]!);
});

test('imaging: what can not be decoded, and regions that are none, are input errors', async t => {
  const broken: Picture = { encoding: 'jpeg', data: Uint8Array.of(0xff, 0xd8, 0xff, 0xd9) };
  await t.throwsAsync(imaging.crop(broken, [{ x: 0, y: 0, width: 1, height: 1 }]), { instanceOf: InputError });
  await t.throwsAsync(thumbnail(broken, 8), { instanceOf: InputError });
  await t.throwsAsync(imaging.crop(picture, [{ x: Number.NaN, y: 0, width: 1, height: 1 }]), {
    instanceOf: InputError,
  });
  await t.throwsAsync(imaging.crop(picture, [{ x: 0, y: 0, width: 1, height: 1, quad: [1, 2] }]), {
    instanceOf: InputError,
  });
});
