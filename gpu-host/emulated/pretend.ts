import {
  exponential,
  intBetween,
  type Box,
  type ModelDocument,
  type Output,
  type Random,
} from '../../contracts/index.ts';

/** Pixels of the picture that an answer is about. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** More boxes than any manifest lets a real model return. */
const BOXES_MAX = 1000;

/** Poisson deviate: how many exponential gaps fit into `mean`. */
function poisson(random: Random, mean: number): number {
  let count = -1;
  for (let at = 0; at <= mean && count < BOXES_MAX; count++) at += exponential(random, 1);
  return count;
}

/** A box inside the picture: a tenth to a third of its width, a twentieth to a sixth of its height, whole pixels. */
function pretendBox(picture: Size, random: Random, label: string | undefined): Box {
  const width = Math.max(1, Math.floor(picture.width * (0.1 + 0.23 * random.next())));
  const height = Math.max(1, Math.floor(picture.height * (0.05 + 0.11 * random.next())));
  const x = intBetween(random, 0, Math.max(0, picture.width - width));
  const y = intBetween(random, 0, Math.max(0, picture.height - height));
  const score = 0.7 + 0.3 * random.next();
  return label === undefined ? { x, y, width, height, score } : { x, y, width, height, score, label };
}

const pick = (random: Random, labels: readonly string[] | string | undefined): string | undefined =>
  Array.isArray(labels) && labels.length > 0 ? labels[intBetween(random, 0, labels.length - 1)] : undefined;

/**
 * An answer of the shape that the model's postprocessing gives, with made-up content: boxes lie in the picture,
 * their number is Poisson with the mean `emulation.boxes` (default 1).
 */
export function pretend(document: ModelDocument, size: Size, random: Random): Output {
  const { postprocess } = document;
  switch (postprocess.kind) {
    case 'boxes':
    case 'text-boxes': {
      const labels = postprocess.kind === 'boxes' ? postprocess.labels : undefined;
      const boxes: Box[] = [];
      const count = poisson(random, document.emulation?.boxes ?? 1);
      while (boxes.length < count) boxes.push(pretendBox(size, random, pick(random, labels)));
      return { kind: 'boxes', boxes };
    }
    case 'ctc':
      return { kind: 'text', text: `PRETEND ${intBetween(random, 0, 99)}`, score: 0.5 + 0.5 * random.next() };
    case 'classes': {
      const labels = Array.isArray(postprocess.labels) ? postprocess.labels : [];
      const index = intBetween(random, 0, Math.max(0, labels.length - 1));
      const label = labels[index];
      return { kind: 'classes', classes: [label === undefined ? { index, score: 0.9 } : { index, label, score: 0.9 }] };
    }
    case 'tensors':
      return { kind: 'tensors', tensors: {} };
    default:
      return { kind: 'custom', value: { pretended: true } };
  }
}
