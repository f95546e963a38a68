import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { seededRandom, type Random } from '../../contracts/index.ts';
import { readDocuments } from '../../deploy/documents/index.ts';
import { modelFilesFromDisk, type Device, type ModelFiles } from '../../gpu-host/index.ts';

/** The model of a document on disk. */
export async function modelAt(file: string): Promise<ModelFiles> {
  const { documents, problems } = await readDocuments([file]);
  const found = documents[0];
  if (found?.document.kind !== 'Model') throw new Error(`${file}: ${JSON.stringify(problems)}`);
  return modelFilesFromDisk(found.document, found.baseDir);
}

/** A model of which one tensor is read raw. */
export const withTensors = (files: ModelFiles, graph: Uint8Array): ModelFiles => ({
  id: files.id,
  document: { ...files.document, file: 'raw.onnx', postprocess: { kind: 'tensors' } },
  read: async name => (name === 'raw.onnx' ? graph : files.read(name)),
});

/** What a model gives for each picture, run one by one. */
export async function answersOf(device: Device, files: ModelFiles, pictures: readonly Uint8Array[]) {
  const model = await device.load(files, { batchMax: 1 });
  const answers = [];
  for (const data of pictures) {
    const { outputs } = await model.run([await model.prepare({ encoding: 'png', data })]);
    if (outputs[0] instanceof Error) throw outputs[0];
    answers.push(outputs[0]!);
  }
  await model.release();
  return answers;
}

const SIDE = 96;
const SHAPES: Readonly<Record<string, (random: Random) => string>> = {
  disc: random =>
    `<circle cx="${spread(random)}" cy="${spread(random)}" r="${size(random)}" fill="${colour(random)}"/>`,
  square: random => {
    const side = 2 * size(random);
    const [x, y] = [spread(random) - side / 2, spread(random) - side / 2];
    return `<rect x="${x}" y="${y}" width="${side}" height="${side}" fill="${colour(random)}"/>`;
  },
  stripes: random => {
    const pitch = 10 + 8 * random.next();
    const fill = colour(random);
    const bars = Array.from(
      { length: 16 },
      (_, i) => `<rect x="${-SIDE + i * pitch}" y="${-SIDE}" width="${pitch / 2}" height="300" fill="${fill}"/>`,
    );
    return `<g transform="rotate(${20 * random.next() - 10} 48 48)">${bars.join('')}</g>`;
  },
};
export const SHAPE_NAMES = Object.keys(SHAPES);

const spread = (random: Random): number => SIDE / 2 + 12 * (random.next() - 0.5);
const size = (random: Random): number => 22 + 12 * random.next();
const colour = (random: Random): string =>
  `rgb(${[0, 1, 2].map(() => Math.round(60 + 195 * random.next())).join(',')})`;

/** A shape of any place, size and colour on dark ground with noise, as PNG. */
export async function shapePicture(shape: string, random: Random): Promise<Uint8Array> {
  const ground = new Uint8Array(SIDE * SIDE * 3);
  const tint = [0, 1, 2].map(() => 30 * random.next());
  for (let i = 0; i < ground.length; i++) ground[i] = tint[i % 3]! + 40 * random.next();
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIDE}" height="${SIDE}">${SHAPES[shape]!(random)}</svg>`;
  const picture = sharp(ground, { raw: { width: SIDE, height: SIDE, channels: 3 } });
  return new Uint8Array(
    await picture
      .composite([{ input: Buffer.from(svg) }])
      .png()
      .toBuffer(),
  );
}

/** Writes `<folder>/<shape>/<number>.png`. */
export async function writeShapes(
  folder: string,
  counts: Readonly<Record<string, number>>,
  seed: number,
): Promise<void> {
  const random = seededRandom(seed);
  for (const [shape, count] of Object.entries(counts)) {
    await mkdir(join(folder, shape), { recursive: true });
    for (let i = 0; i < count; i++) await writeFile(join(folder, shape, `${i}.png`), await shapePicture(shape, random));
  }
}
