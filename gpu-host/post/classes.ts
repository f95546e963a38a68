import type { Output } from '../../contracts/index.ts';

/** p = e^x / Σ e^x, without overflow. */
export function softmax(values: Float32Array): Float32Array {
  let top = -Infinity;
  for (const value of values) top = Math.max(top, value);
  const powers = values.map(value => Math.exp(value - top));
  let sum = 0;
  for (const power of powers) sum += power;
  return powers.map(power => power / sum);
}

/** The `top` classes with the highest scores, best first. */
export function classes(
  values: Float32Array,
  { top = 5, softmax: normalise = false, labels = [] as readonly string[] },
): Output {
  const scores = normalise ? softmax(values) : values;
  const order = Array.from(scores.keys())
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, top);
  return {
    kind: 'classes',
    classes: order.map(index => {
      const label = labels[index];
      return { index, ...(label === undefined ? {} : { label }), score: scores[index]! };
    }),
  };
}
