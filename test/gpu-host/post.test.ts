import test from 'ava';
import fc from 'fast-check';
import type { Box, Output } from '../../contracts/index.ts';
import { boxes, intersectionOverUnion, type BoxSettings } from '../../gpu-host/post/boxes.ts';
import { classes, softmax } from '../../gpu-host/post/classes.ts';
import { components } from '../../gpu-host/post/components.ts';
import { alphabetOf, ctc } from '../../gpu-host/post/ctc.ts';
import { cornersOf, leastRectangle, type Point } from '../../gpu-host/post/rectangle.ts';
import { openPostprocessor } from '../../gpu-host/post/index.ts';
import { wrongIn, WrongOutputError } from '../../gpu-host/post/sound.ts';
import { textBoxes } from '../../gpu-host/post/text-boxes.ts';
import type { RawOutputs } from '../../gpu-host/post/output.ts';
import type { Geometry, InputInfo } from '../../gpu-host/pre/input.ts';
import type { Numbers } from '../../gpu-host/tensors.ts';

const near = (a: number, b: number, within = 1e-6): boolean => Math.abs(a - b) <= within;
const boxesIn = (output: Output): Box[] => (output.kind === 'boxes' ? output.boxes : []);
const same = (side: number): Geometry => ({
  width: side,
  height: side,
  scaleX: 1,
  scaleY: 1,
  offsetX: 0,
  offsetY: 0,
  inputWidth: side,
  inputHeight: side,
});

test('postprocess: classes are the best ones in order, softmax survives large numbers', t => {
  const output = classes(Float32Array.of(0.1, 0.6, 0.3), { top: 2, labels: ['a', 'b'] });
  t.like(output, { classes: [{ index: 1, label: 'b' }, { index: 2 }] });
  const probabilities = softmax(Float32Array.of(1000, 1000, -1000));
  t.deepEqual([...probabilities], [0.5, 0.5, 0]);
});

test('postprocess: ctc merges repeats, drops blanks, keeps doubled letters that a blank parts', t => {
  const alphabet = alphabetOf('a\nb\n', { blank: 0, space: true });
  t.deepEqual(alphabet, ['', 'a', 'b', ' ']);
  const steps = [0, 1, 1, 0, 1, 2, 3, 2, 3];
  const values = Float32Array.from(steps.flatMap(best => [0, 1, 2, 3].map(i => (i === best ? 0.7 : 0.1))));
  const output = ctc(values, [steps.length, 4], { alphabet });
  t.like(output, { kind: 'text', text: 'aab b' });
  t.true(output.kind === 'text' && near(output.score, 0.7));
  t.like(ctc(Float32Array.of(0.9, 0.05, 0.05, 0), [1, 4], { alphabet }), { text: '', score: 0 });
  t.throws(() => ctc(values, [steps.length, 4], { alphabet: ['', 'a'] }), { message: /4 classes/ });
  t.deepEqual(alphabetOf('a\r\n \r\nb', { blank: 2, space: false }), ['a', ' ', '', 'b']);
});

test('postprocess: intersection over union of known rectangles', t => {
  t.is(intersectionOverUnion([0, 0, 2, 2], [0, 0, 2, 2]), 1);
  t.true(near(intersectionOverUnion([0, 0, 2, 2], [1, 1, 3, 3]), 1 / 7));
  t.is(intersectionOverUnion([0, 0, 1, 1], [1, 0, 2, 1]), 0);
});

test('postprocess: boxes in every coordinate format come out the same, overlaps are suppressed per class', t => {
  const rows = (...all: number[][]) => ({ dims: [all.length, all[0]!.length], values: Float32Array.from(all.flat()) });
  const transposed = (...all: number[][]) => ({
    dims: [all[0]!.length, all.length],
    values: Float32Array.from(all[0]!.flatMap((_, column) => all.map(row => row[column]!))),
  });
  // Two overlapping boxes of class 0, one of class 1 at the same place, one too weak. Classes behind the coordinates.
  const corners = [
    [10, 20, 50, 60, 0.9, 0.1],
    [12, 20, 52, 60, 0.8, 0.1],
    [10, 20, 50, 60, 0.1, 0.7],
    [70, 70, 90, 90, 0.3, 0.2],
  ];
  const convert = (to: (x: number, y: number, right: number, bottom: number) => number[]) =>
    corners.map(([x, y, right, bottom, ...scores]) => [...to(x!, y!, right!, bottom!), ...scores]);
  const settings: BoxSettings = { kind: 'boxes', coordinates: 'corners' };
  const options = { geometry: same(100), labels: ['cat', 'dog'] };
  const expected = [
    { x: 10, y: 20, width: 40, height: 40, label: 'cat' },
    { x: 10, y: 20, width: 40, height: 40, label: 'dog' },
  ];
  const plain = (output: Output) =>
    boxesIn(output).map(({ x, y, width, height, label }) => ({ x, y, width, height, label }));
  t.deepEqual(plain(boxes({ boxes: rows(...corners) }, settings, options)), expected);
  const center = convert((x, y, right, bottom) => [(x + right) / 2, (y + bottom) / 2, right - x, bottom - y]);
  t.deepEqual(plain(boxes({ boxes: rows(...center) }, { ...settings, coordinates: 'center' }, options)), expected);
  const yolo: BoxSettings = { ...settings, coordinates: 'center', transposed: true };
  t.deepEqual(plain(boxes({ boxes: transposed(...center) }, yolo, options)), expected);
  const size = convert((x, y, right, bottom) => [x, y, right - x, bottom - y]);
  t.deepEqual(plain(boxes({ boxes: rows(...size) }, { ...settings, coordinates: 'corner-size' }, options)), expected);
  const unit = convert((...sides) => sides.map(side => side / 100)).map(row => row.map(Math.fround));
  const [cat] = boxesIn(boxes({ boxes: rows(...unit) }, { ...settings, normalised: true }, options));
  t.true(near(cat!.x, 10, 1e-4) && near(cat!.height, 40, 1e-4));
  const most = boxesIn(boxes({ boxes: rows(...corners) }, { ...settings, boxesMax: 1 }, options));
  t.is(most.length, 1);
});

test('postprocess: background is no find, objectness multiplies, padding and borders are cut off', t => {
  const layer = (...values: number[]) => ({ dims: [1, values.length], values: Float32Array.from(values) });
  const settings: BoxSettings = { kind: 'boxes', coordinates: 'corners' };
  const geometry = same(100);
  const apart = { boxes: layer(0, 0, 10, 10), scores: layer(0.95, 0.05) };
  t.deepEqual(boxesIn(boxes(apart, { ...settings, background: 0 }, { geometry })), []);
  const objectness: BoxSettings = { ...settings, objectness: true, scoreThreshold: 0.4 };
  const [found] = boxesIn(boxes({ boxes: layer(0, 0, 10, 10, 0.8, 0.1, 0.6) }, objectness, { geometry }));
  t.true(near(found!.score, 0.48, 1e-6));
  t.deepEqual(boxesIn(boxes({ boxes: layer(0, 0, 10, 10, 0.5, 0.1, 0.6) }, objectness, { geometry })), []);
  // A picture of 200×100 in an input of 100×100: below 50 there is only padding.
  const contained: Geometry = { ...same(100), width: 200, height: 100, scaleX: 0.5, scaleY: 0.5 };
  const beside = { boxes: layer(-10, 40, 20, 60, 0.9) };
  t.like(boxesIn(boxes(beside, settings, { geometry: contained }))[0], { x: 0, y: 80, width: 40, height: 20 });
  const padding = { boxes: layer(10, 60, 20, 80, 0.9) };
  t.deepEqual(boxesIn(boxes(padding, settings, { geometry: contained })), []);
  t.throws(() => boxes({ boxes: layer(1, 2, 3) }, settings, { geometry }), { message: /holds no boxes/ });
});

test('postprocess: regions touch by sides and corners, and are bounded in number', t => {
  const map = Float32Array.from([1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
  t.deepEqual(
    components(map, 4, 0.5, 10).map(({ top, rows, pixels }) => ({ top, rows, pixels })),
    [
      {
        top: 0,
        rows: [
          [0, 0],
          [1, 1],
        ],
        pixels: 2,
      },
      {
        top: 1,
        rows: [
          [3, 3],
          [3, 3],
        ],
        pixels: 2,
      },
    ],
  );
  t.is(components(map, 4, 0.5, 1).length, 1);
});

test('postprocess: the least rectangle of a turned rectangle is that rectangle (any size and angle)', t => {
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.double({ min: 5, max: 100, noNaN: true }),
        fc.double({ min: 5, max: 100, noNaN: true }),
        fc.double({ min: -Math.PI / 4 + 0.01, max: Math.PI / 4 - 0.01, noNaN: true }),
        (width, height, angle) => {
          const given = { cx: 50, cy: 40, ux: Math.cos(angle), uy: Math.sin(angle), width, height };
          const corners = cornersOf(given);
          const inside: Point[] = corners.map(([x, y]) => [(x + 50) / 2, (y + 40) / 2]);
          const found = leastRectangle([...corners, ...inside])!;
          const [[x, y]] = cornersOf(found);
          return (
            near(found.width, width, 1e-6) &&
            near(found.height, height, 1e-6) &&
            near(x, corners[0][0], 1e-6) &&
            near(y, corners[0][1], 1e-6)
          );
        },
      ),
    ),
  );
});

test('postprocess: text boxes grow by area · unclip / perimeter and lie in pixels of the picture, rows first', t => {
  const [width, height] = [100, 60];
  const map = new Float32Array(width * height);
  const draw = (left: number, top: number, right: number, bottom: number, value: number): void => {
    for (let y = top; y < bottom; y++) map.fill(value, y * width + left, y * width + right);
  };
  draw(60, 21, 80, 31, 0.9); // right of the next one, in the same row though one pixel lower
  draw(10, 20, 50, 30, 0.8);
  draw(10, 50, 30, 55, 0.4); // too weak
  draw(90, 50, 91, 51, 0.9); // too small
  // The picture is twice the map.
  const geometry: Geometry = {
    ...same(0),
    width: 200,
    height: 120,
    scaleX: 0.5,
    scaleY: 0.5,
    inputWidth: width,
    inputHeight: height,
  };
  const found = boxesIn(textBoxes(map, [1, height, width], {}, geometry));
  t.is(found.length, 2);
  const grow = (40 * 10 * 1.5) / 100;
  const [first, second] = found;
  t.true(near(first!.x, 2 * (10 - grow), 1e-3) && near(first!.width, 2 * (40 + 2 * grow), 1e-3), JSON.stringify(first));
  t.true(near(first!.score, 0.8, 1e-6) && second!.x > first!.x);
  t.deepEqual(first!.quad?.slice(0, 2), [first!.x, first!.y]);
  t.throws(() => textBoxes(map, [1, 3], {}, geometry), { message: /no probability map/ });
});

const plainDocument = {
  kind: 'Model' as const,
  name: 'm',
  version: '1',
  file: 'm.onnx',
  licence: 'none',
  source: 'test',
  batchMax: 1,
  preprocess: { kind: 'tensors' as const },
};

test('postprocess: numbers that are none are told, wherever they come from', async t => {
  const outputs = (values: Float32Array) =>
    new Map([['scores', { name: 'scores', type: 'float32' as const, dims: [values.length], values }]]);
  const open = (softmaxed: boolean) =>
    openPostprocessor({
      id: 'm@0123456789ab',
      document: {
        ...plainDocument,
        postprocess: { kind: 'classes', softmax: softmaxed },
      },
      outputNames: ['scores'],
      files: {},
    });
  const info = {} as InputInfo;
  const plain = await open(false);
  const wrong = { instanceOf: WrongOutputError };
  await t.throwsAsync(async () => plain(outputs(new Float32Array(1000).fill(NaN)), info), wrong);
  await t.throwsAsync(async () => plain(outputs(Float32Array.of(1, Infinity)), info), wrong);
  const soft = await open(true);
  await t.throwsAsync(async () => soft(outputs(Float32Array.of(Infinity, Infinity)), info), wrong);
  t.like(await soft(outputs(Float32Array.of(-Infinity, 0)), info), { classes: [{ score: 1 }, { score: 0 }] });
  t.is(wrongIn({ kind: 'boxes', boxes: [{ x: 0, y: NaN, width: 1, height: 1, score: 1 }] }), 'a box that is no box');
  t.is(wrongIn({ kind: 'text', text: '', score: 0.5 }), undefined);
});

test('postprocess: outputs of another shape or type than the model has are as wrong as numbers that are none', async t => {
  const document = { ...plainDocument, postprocess: { kind: 'ctc' as const, keys: 'keys.txt', space: false } };
  const files = { 'keys.txt': Buffer.from('a\nb\n') };
  const read = await openPostprocessor({ id: 'm@0123456789ab', document, outputNames: ['y'], files });
  const wrong = async (outputs: RawOutputs, message: RegExp) =>
    t.throwsAsync(async () => read(outputs, {}), { instanceOf: WrongOutputError, message });
  const y = (dims: number[], values: Numbers) =>
    new Map([
      [
        'y',
        { name: 'y', type: values instanceof Float32Array ? ('float32' as const) : ('int32' as const), dims, values },
      ],
    ]);
  await wrong(y([2, 2], Float32Array.of(1, 0, 0, 1)), /gives 2 classes/);
  await wrong(y([1, 3], Int32Array.of(1, 0, 0)), /is int32/);
  await wrong(new Map(), /gave no output "y"/);
  t.like(await read(y([1, 3], Float32Array.of(0, 1, 0)), {}), { text: 'a' });
});
