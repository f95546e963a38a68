import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import test from 'ava';
import sharp from 'sharp';
import {
  ADVANCES,
  CHANGE_THRESHOLD,
  changeBetween,
  fieldsOf,
  makePainter,
  sharpPixels,
  truthAt,
  truthOf,
} from '../../actors/stream-sampler/index.ts';

const source = { kind: 'synthetic', seed: 3 } as const;
const paint = async (settings: object, timesMs: number[]): Promise<Uint8Array[]> => {
  const painter = await makePainter({ ...source, ...settings }, 85, sharpPixels);
  const pictures: Uint8Array[] = [];
  for (const timeMs of timesMs) pictures.push(await painter.paint(truthOf({ ...source, ...settings }, timeMs)));
  return pictures;
};

test('synthetic: the same seed and time give the same bytes, another seed or time others', async t => {
  const [first] = await paint({}, [61_400]);
  const [, again] = await paint({}, [5000, 61_400]);
  t.deepEqual(first, again);
  const [other] = await paint({ seed: 4 }, [61_400]);
  const [later] = await paint({}, [61_600]);
  t.notDeepEqual(first, other);
  t.notDeepEqual(first, later);
});

test('synthetic: the clock ticks each second, scores only grow within a game, games follow each other', t => {
  t.is(truthAt(3, 59_999).clock, '00:59');
  t.is(truthAt(3, 60_000).clock, '01:00');
  t.is(truthAt(3, 40 * 60_000 - 1).clock, '39:59');
  t.is(truthAt(3, 40 * 60_000).clock, '00:00');
  let before = truthAt(3, 0);
  let points = 0;
  for (let timeMs = 0; timeMs < 40 * 60_000; timeMs += 5000) {
    const truth = truthAt(3, timeMs);
    t.true(truth.homeScore >= before.homeScore && truth.awayScore >= before.awayScore);
    t.is(truth.home, before.home);
    points += truth.homeScore + truth.awayScore - before.homeScore - before.awayScore;
    before = truth;
  }
  t.true(points > 40, `${points} points in a game`);
  t.true(before.homeScore <= 99 && before.awayScore <= 99);
});

test('synthetic: texts lie inside the picture, apart from each other, high enough to be read', t => {
  for (const [width, height] of [
    [640, 360],
    [1280, 720],
    [1920, 1080],
    [640, 480],
  ] as const) {
    for (let i = 0; i < 200; i++) {
      const fields = fieldsOf(truthAt(i, i * 777_777, { width, height }));
      t.is(fields.length, 6);
      for (const { box, text } of fields) {
        t.true(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height);
        t.true(box.height >= 20);
        t.regex(text, /^[A-Z0-9:]{2,7}$/);
      }
      const board = fields.slice(0, 5);
      for (const [k, { box }] of board.entries()) {
        const next = board[k + 1]?.box;
        if (next) t.true(next.x - (box.x + box.width) >= box.height * 0.9, JSON.stringify(board));
      }
    }
  }
});

test('synthetic: the boxes enclose what is drawn', async t => {
  const settings = { noise: 0, motion: 0 };
  const truth = truthOf({ ...source, ...settings }, 123_456);
  const [jpeg] = await paint(settings, [123_456]);
  const { data, info } = await sharp(jpeg).greyscale().raw().toBuffer({ resolveWithObject: true });
  for (const { name, box } of fieldsOf(truth)) {
    // On a panel of one colour everything that differs from it is a glyph.
    const margin = 6;
    const panel = data[(box.y - margin) * info.width + box.x]!;
    const marks: { x: number; y: number }[] = [];
    for (let y = box.y - margin; y < box.y + box.height + margin; y++) {
      for (let x = box.x - margin; x < box.x + box.width + margin; x++) {
        if (Math.abs(data[y * info.width + x]! - panel) > 90) marks.push({ x, y });
      }
    }
    t.true(marks.length > 100, name);
    const left = Math.min(...marks.map(({ x }) => x));
    const right = Math.max(...marks.map(({ x }) => x));
    const top = Math.min(...marks.map(({ y }) => y));
    const bottom = Math.max(...marks.map(({ y }) => y));
    t.true(left >= box.x && left <= box.x + 5, `${name}: left ${left - box.x}`);
    t.true(right < box.x + box.width && right >= box.x + box.width - 7, `${name}: right ${right - box.x - box.width}`);
    t.true(top >= box.y - 1 && top <= box.y + 3, `${name}: top ${top - box.y}`);
    t.true(bottom <= box.y + box.height && bottom >= box.y + box.height - 4, `${name}: bottom`);
  }
});

test('synthetic: the default threshold tells a tick of the clock from noise, in real JPEGs', async t => {
  for (const noise of [0.02, 0.05, 0.08]) {
    const times = [600_100, 600_300, 600_500, 600_900, 601_100, 602_100, 603_100, 604_100];
    const pictures = await paint({ noise, motion: 0 }, times);
    const thumbnails = await Promise.all(pictures.map(async data => sharpPixels.thumbnail({ encoding: 'jpeg', data })));
    const change = (a: number, b: number): number => changeBetween(thumbnails[a]!, thumbnails[b]!);
    const unchanged = [change(0, 1), change(1, 2), change(2, 3), change(0, 3)];
    const ticked = [change(3, 4), change(4, 5), change(5, 6), change(6, 7)];
    t.log(
      `noise ${noise}: unchanged ≤ ${Math.max(...unchanged).toFixed(3)}, ticked ≥ ${Math.min(...ticked).toFixed(3)}`,
    );
    t.true(Math.max(...unchanged) < CHANGE_THRESHOLD * 0.8, unchanged.join(' '));
    t.true(Math.min(...ticked) > CHANGE_THRESHOLD * 1.2, ticked.join(' '));
  }
});

test('synthetic: every pair of digits differs by more than the threshold', async t => {
  // Seconds 00…09 of a minute, then the tens 10…50: the units and the tens of the clock in all their neighbours.
  const times = Array.from({ length: 60 }, (_, i) => 1_200_100 + i * 1000);
  const pictures = await paint({ motion: 0 }, times);
  const thumbnails: Uint8Array[] = [];
  for (const data of pictures) thumbnails.push(await sharpPixels.thumbnail({ encoding: 'jpeg', data }));
  const changes = thumbnails.slice(1).map((thumbnail, i) => changeBetween(thumbnail, thumbnails[i]!));
  t.log(`least change of a tick ${Math.min(...changes).toFixed(3)}`);
  t.true(Math.min(...changes) > CHANGE_THRESHOLD);
});

test('synthetic: the advances in the layout are those of the font', async t => {
  const { default: opentype } = await import('opentype.js');
  const file = createRequire(import.meta.url).resolve('dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf');
  const bytes = readFileSync(file);
  const font = opentype.parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  for (const [char, advance] of Object.entries(ADVANCES)) t.is(font.charToGlyph(char).advanceWidth, advance, char);
});
