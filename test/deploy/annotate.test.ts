import test from 'ava';
import sharp from 'sharp';
import * as example from '../../contracts/examples.ts';
import type { Picture, Result } from '../../contracts/index.ts';
import { annotate, labelledBoxes, overlaySvg } from '../../deploy/annotate/index.ts';
import { resultLine } from '../../deploy/commands/results.ts';
import { styleFor } from '../../deploy/terminal/index.ts';

const GROUND = { r: 16, g: 32, b: 48 };
const blank = (): Promise<Buffer> =>
  sharp({ create: { width: 200, height: 100, channels: 3, background: GROUND } })
    .png()
    .toBuffer();

test('annotate: boxes and words stand on the picture, the rest of it stays', async t => {
  const picture: Picture = { encoding: 'png', data: new Uint8Array(await blank()) };
  const png = await annotate(picture, example.result);
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  t.deepEqual([info.width, info.height], [200, 100]);
  const at = (x: number, y: number): number[] => [...data.subarray((y * 200 + x) * 3, (y * 200 + x) * 3 + 3)];
  const ground = Object.values(GROUND);
  t.notDeepEqual(at(90, 22), ground, 'the upper edge of the box');
  t.deepEqual(at(90, 34), ground, 'its inside');
  t.deepEqual(at(190, 5), ground, 'far from everything');
});

test('annotate: raw pixels are taken too; what is no picture is an error', async t => {
  const data = new Uint8Array(
    await sharp(await blank())
      .removeAlpha()
      .raw()
      .toBuffer(),
  );
  const png = await annotate({ encoding: 'rgb', width: 200, height: 100, data }, example.result);
  t.is((await sharp(png).metadata()).width, 200);
  await t.throwsAsync(annotate({ encoding: 'jpeg', data: Uint8Array.of(1, 2, 3) }, example.result));
});

test('annotate: the words of a later stage belong to the box that they were read from', t => {
  const { boxes } = labelledBoxes(example.result);
  t.deepEqual(
    boxes.map(({ box, text }) => [box.x, text]),
    [[31, 'LIONS 3']],
  );
});

test('annotate: words can not break out of the drawing', async t => {
  const [read] = example.result.stages['read']!;
  const output = { kind: 'text' as const, text: '</svg><script>"&', score: 1 };
  const result: Result = {
    ...example.result,
    query: 'a<b',
    stages: { ...example.result.stages, read: [{ ...read!, output }] },
  };
  const svg = await overlaySvg(result, 200, 100);
  t.false(svg.includes('<script>'));
  t.is(svg.match(/<\/svg>/g)!.length, 1);
});

test('results: a line tells where, how it ended, and what was found or why not', t => {
  const plain = styleFor(false);
  t.is(resultLine(example.result, plain), 'scoreboard game-1 #1042  ok       77.5 ms   LIONS 3');
  t.is(
    resultLine(example.inferResult, plain),
    'scoreboard               dropped  31.0 ms   deadline at batcher (detect): no device could answer stage detect in time: 30 ms allowed, the quickest run takes 25 ms',
  );
  t.true(resultLine(example.inferResult, plain, 60).length <= 60);
});
