import { ModelError, type Output } from '../../contracts/index.ts';

/** An answer that can't be one: the device, its memory or the model's copy there may be broken. */
export class WrongOutputError extends ModelError {}

const SAMPLES_MAX = 256;

/** Whether there is a NaN among up to 256 values, evenly spread: what breaks by itself breaks everywhere. */
export function hasNaN(values: Float32Array): boolean {
  const stride = Math.max(1, Math.floor(values.length / SAMPLES_MAX));
  for (let i = 0; i < values.length; i += stride) if (Number.isNaN(values[i])) return true;
  return false;
}

/** What is wrong with numbers that postprocessing made; tensors and custom answers are their user's. */
export function wrongIn(output: Output): string | undefined {
  switch (output.kind) {
    case 'classes':
      return output.classes.every(({ score }) => Number.isFinite(score)) ? undefined : 'a score that is no number';
    case 'text':
      return Number.isFinite(output.score) ? undefined : 'a score that is no number';
    case 'boxes':
      return output.boxes.every(({ x, y, width, height, score }) => Number.isFinite(x + y + width + height + score))
        ? undefined
        : 'a box that is no box';
    default:
      return undefined;
  }
}
