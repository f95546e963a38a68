import { basename } from 'node:path';
import { ConfigError, type ModelDocument } from '../../contracts/index.ts';
import type { ModelFiles } from '../../gpu-host/index.ts';
import { evaluate, stratifiedSplit, type Evaluation } from './evaluate.ts';
import { featureGraph, featuresOf, type FeatureOptions } from './features.ts';
import { defaultFeatures, OPSET_MIN, withHead } from './head.ts';
import type { Matrix } from './linear-algebra.ts';
import { closeModel, openModel } from '../../gpu-host/edit/index.ts';
import type { LabelledFiles } from './pictures.ts';
import { argmax, fitHead, scoresOf } from './fit-head.ts';
import type { NewModel } from './write.ts';

export interface FittedClassifier extends NewModel {
  readonly features: { readonly tensor: string; readonly count: number };
  readonly labels: readonly { readonly label: string; readonly pictures: number }[];
  /** Of a head that was fitted without them. */
  readonly heldOut: Evaluation;
  readonly ridge: number;
  /** Of the head that is written, which is fitted on all pictures. */
  readonly leaveOneOutAccuracy: number;
  readonly warnings: readonly string[];
}

export interface ClassifierOptions extends FeatureOptions {
  readonly name: string;
  /** A tensor of the backbone; default: what its last MatMul or Gemm reads. */
  readonly features: string | undefined;
  /** Share of each label's pictures that the accuracy is measured on, 0..1. */
  readonly holdOut: number;
  readonly seed: number;
}

const PICTURES_FEW = 20;
const HELD_FEW = 30;
/** Factorising takes its cube. */
const SMALLER_SIDE_MAX = 2048;

/**
 * A classifier on a backbone's features, fitted on labelled pictures; it shares all before the features with the backbone.
 * @throws ConfigError for pictures, labels, a tensor or a backbone that won't do
 */
export async function fitClassifier(
  files: ModelFiles,
  pictures: LabelledFiles,
  options: ClassifierOptions,
): Promise<FittedClassifier> {
  const { id, document } = files;
  if (document.preprocess.kind === 'tensors')
    throw new ConfigError(`model ${document.name} takes tensors, not pictures`, { field: 'preprocess.kind' });
  const counts = pictures.labels.map((label, index) => ({
    label,
    pictures: pictures.files.filter(file => file.label === index).length,
  }));
  for (const { label, pictures } of counts)
    if (pictures < 2)
      throw new ConfigError(`label "${label}" has ${pictures} picture: one is fitted on and one held out`, {
        remedy: 'add pictures to its folder',
      });
  const model = await openModel(files);
  if (model.opset < OPSET_MIN)
    throw new ConfigError(
      `model ${id}: has opset ${model.opset}; export it with ${OPSET_MIN} or newer to put a head behind it`,
    );
  const tensor = options.features ?? defaultFeatures(model.graph);
  const cutting = await featureGraph(files, model, tensor, options.device);
  const paths = pictures.files.map(({ path }) => path);
  const features = await featuresOf(files, model, cutting, paths, options);
  const smaller = Math.min(features.rows, features.columns);
  if (smaller > SMALLER_SIDE_MAX)
    throw new ConfigError(
      `${features.rows} pictures with ${features.columns} features: one of the two may be above ${SMALLER_SIDE_MAX}, not both`,
      { field: '--features', remedy: 'name a smaller tensor, or give fewer pictures' },
    );
  const labels = pictures.files.map(({ label }) => label);
  const heldOut = holdOut(features, labels, counts.length, options);
  const fit = fitHead(features, labels, counts.length);
  const { graph, output } = withHead(cutting, fit.head);
  const file = `${options.name}.onnx`;
  const { preprocess, moduleFiles } = await ownModule(files);
  const accuracy = `${(100 * heldOut.accuracy).toFixed(1)} % of ${heldOut.examples} held-out pictures`;
  const fitted: ModelDocument = {
    ...document,
    name: options.name,
    file,
    source: `${document.source}; head fitted on ${paths.length} pictures`,
    preprocess,
    postprocess: { kind: 'classes', output, labels: [...pictures.labels], top: Math.min(5, counts.length) },
  };
  return {
    document: fitted,
    contents: new Map([[file, closeModel(model, graph)], ...moduleFiles]),
    about: `${counts.length} labels told apart on features of ${document.name} (${document.version}); ${accuracy} told right.`,
    features: { tensor, count: features.columns },
    labels: counts,
    heldOut,
    ridge: fit.ridge,
    leaveOneOutAccuracy: fit.leaveOneOutAccuracy,
    warnings: warningsOf(counts, heldOut, pictures.ignored),
  };
}

function holdOut(features: Matrix, labels: readonly number[], classes: number, options: ClassifierOptions): Evaluation {
  const { fit, held } = stratifiedSplit(labels, options.holdOut, options.seed);
  const at = (indices: readonly number[]): number[] => indices.map(index => labels[index]!);
  const { head } = fitHead(rowsOf(features, fit), at(fit), classes);
  const scores = scoresOf(head, rowsOf(features, held));
  return evaluate(
    at(held),
    held.map((_, row) => argmax(scores, row)),
  );
}

function rowsOf({ columns, values }: Matrix, indices: readonly number[]): Matrix {
  const out = new Float64Array(indices.length * columns);
  indices.forEach((index, row) => out.set(values.subarray(index * columns, (index + 1) * columns), row * columns));
  return { rows: indices.length, columns, values: out };
}

/** A module that prepares pictures lies beside the new document, too. */
async function ownModule(files: ModelFiles) {
  const { preprocess } = files.document;
  if (preprocess.kind !== 'module') return { preprocess, moduleFiles: [] };
  const file = basename(preprocess.file);
  const content = await files.read(preprocess.file);
  return { preprocess: { ...preprocess, file }, moduleFiles: [[file, content] as const] };
}

function warningsOf(
  counts: FittedClassifier['labels'],
  { examples }: Evaluation,
  ignored: readonly string[],
): string[] {
  const few = counts.filter(({ pictures }) => pictures < PICTURES_FEW);
  const [least, most] = [Math.min, Math.max].map(of => of(...counts.map(({ pictures }) => pictures))) as [
    number,
    number,
  ];
  return [
    ...(few.length > 0
      ? [
          `fewer than ${PICTURES_FEW} pictures of ${few.map(({ label, pictures }) => `${label} (${pictures})`).join(', ')}`,
        ]
      : []),
    ...(examples < HELD_FEW
      ? [`the accuracy is measured on ${examples} pictures alone: see how wide its interval is`]
      : []),
    ...(most > 10 * least
      ? [`the largest label has ${most} pictures, the smallest ${least}: rare ones are told less often`]
      : []),
    ...(ignored.length > 0
      ? [
          `left out, being no pictures by their names: ${ignored.slice(0, 3).join(', ')}${ignored.length > 3 ? ` and ${ignored.length - 3} more` : ''}`,
        ]
      : []),
  ];
}
