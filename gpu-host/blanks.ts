import type { LoadedModel, Prepared } from './device.ts';

/** Inputs to warm up and measure with, made at the same time. Where that takes none there is no promise for each. */
export async function blanksOf(model: Pick<LoadedModel, 'blank'>, count: number): Promise<Prepared[]> {
  const inputs = Array.from({ length: count }, () => model.blank());
  return inputs.some(isComing) ? Promise.all(inputs.map(async input => input)) : (inputs as Prepared[]);
}

const isComing = (input: Prepared | Promise<Prepared>): boolean => input instanceof Promise;
