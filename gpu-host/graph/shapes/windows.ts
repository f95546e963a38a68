import { isBatch, type Dim } from './dim.ts';
import type { Call, Made } from './fact.ts';
import { range } from './fact.ts';

/** Spatial size after a window slides over it (Conv, pools): ⌊(in + pads − dilation·(kernel−1) − 1) / stride⌋ + 1. */
function slid(call: Call, spatial: readonly Dim[], kernel: readonly Dim[]): Dim[] {
  const strides = call.ints('strides');
  const dilations = call.ints('dilations');
  const pads = call.ints('pads');
  const autoPad = call.text('auto_pad', 'NOTSET');
  const round = call.int('ceil_mode', 0) ? Math.ceil : Math.floor;
  return spatial.map((size, axis) => {
    const window = kernel[axis];
    const stride = strides?.[axis] ?? 1;
    if (typeof size !== 'number' || typeof window !== 'number' || stride < 1) return undefined;
    if (autoPad.startsWith('SAME')) return Math.ceil(size / stride);
    const padding = autoPad === 'VALID' ? 0 : (pads?.[axis] ?? 0) + (pads?.[axis + spatial.length] ?? 0);
    const covered = (dilations?.[axis] ?? 1) * (window - 1) + 1;
    const count = round((size + padding - covered) / stride) + 1;
    return count > 0 ? count : undefined;
  });
}

/** Channels and space are computed across, inputs are not. */
function acrossAllButFirst(call: Call): readonly Dim[] | undefined {
  const dims = call.dims(0);
  if (dims) call.across(0, range(1, dims.length));
  else call.mixes = true;
  return dims;
}

export function conv(call: Call): Made[] | undefined {
  const x = acrossAllButFirst(call);
  const w = call.dims(1);
  if (!x || !w) return undefined;
  return [{ dims: [x[0], w[0], ...slid(call, x.slice(2), call.ints('kernel_shape') ?? w.slice(2))] }];
}

export function convTranspose(call: Call): Made[] | undefined {
  const x = acrossAllButFirst(call);
  const w = call.dims(1);
  if (!x || !w) return undefined;
  const kernel = call.ints('kernel_shape') ?? w.slice(2);
  const shape = call.ints('output_shape');
  const pads = call.ints('pads');
  const same = call.text('auto_pad', 'NOTSET').startsWith('SAME');
  const spatial = x.slice(2).map((size, axis): Dim => {
    if (shape) return shape.at(axis - (x.length - 2));
    const window = kernel[axis];
    const stride = call.ints('strides')?.[axis] ?? 1;
    if (typeof size !== 'number' || typeof window !== 'number') return undefined;
    if (same) return size * stride;
    const padding = (pads?.[axis] ?? 0) + (pads?.[axis + x.length - 2] ?? 0);
    const covered = (call.ints('dilations')?.[axis] ?? 1) * (window - 1) + 1;
    return stride * (size - 1) + (call.ints('output_padding')?.[axis] ?? 0) + covered - padding;
  });
  const channels = w[1];
  return [{ dims: [x[0], typeof channels === 'number' ? channels * call.int('group', 1) : undefined, ...spatial] }];
}

export function pool(call: Call): Made[] | undefined {
  const x = acrossAllButFirst(call);
  const kernel = call.ints('kernel_shape');
  if (!x || !kernel) return undefined;
  const dims = [x[0], x[1], ...slid(call, x.slice(2), kernel)];
  return [{ dims }, { dims, type: 7 }];
}

export function globalPool(call: Call): Made[] | undefined {
  const x = acrossAllButFirst(call);
  return x && [{ dims: [x[0], x[1], ...x.slice(2).map(() => 1)] }];
}

/** LSTM, GRU, RNN: X[T,N,I] → Y[T,D,N,H], Y_h[D,N,H], Y_c[D,N,H]; with layout 1 the batch is in front. */
export function recurrent(call: Call): Made[] | undefined {
  const x = call.dims(0);
  const hidden = call.int('hidden_size', 0) || call.dims(2)?.at(-1);
  if (x?.length !== 3) return undefined;
  const batchFirst = call.int('layout', 0) === 1;
  call.across(0, batchFirst ? [1, 2] : [0, 2]);
  // Initial states that are weights are as many as the batch that they were made for.
  for (const state of [5, 6]) {
    call.across(state, batchFirst ? [1, 2] : [0, 2]);
    if (call.inputs[state]?.dims && !isBatch(call.dims(state)?.[batchFirst ? 0 : 1])) call.mixes = true;
  }
  if (call.inputs[4]) call.mixes = true;
  const directions = call.text('direction', 'forward') === 'bidirectional' ? 2 : 1;
  const [first, second] = x;
  const state = batchFirst ? [first, directions, hidden] : [directions, second, hidden];
  return [
    { dims: batchFirst ? [first, second, directions, hidden] : [first, directions, second, hidden] },
    { dims: state },
    { dims: state },
  ];
}
