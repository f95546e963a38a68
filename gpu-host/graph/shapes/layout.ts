import { T } from '../tensor.ts';
import { broadcastAll, dividedBy, isBatch, same, sizeOf, times, type Dim } from './dim.ts';
import { axisOf, range, type Call, type Made } from './fact.ts';

const numbersOf = (dims: readonly Dim[] | undefined): readonly number[] | undefined =>
  dims?.every((dim): dim is number => typeof dim === 'number') ? dims : undefined;

/**
 * Rows stay rows where both shapes begin with N·k entries of the same kind: the elements of one input are neighbours before and after.
 * Sizes behind may be unknown: all in all they are as many as before.
 */
export function reshape(call: Call): Made[] | undefined {
  const x = call.dims(0);
  const target = call.list('shape', 1);
  if (!target) {
    call.mixes = true;
    return undefined;
  }
  const keepsZero = call.int('allowzero', 0) === 0;
  const dims: Dim[] = target.map((dim, axis) => (dim === 0 && keepsZero ? x?.[axis] : dim));
  const open = dims.indexOf(-1);
  if (open >= 0) {
    const others = dims.filter((_, axis) => axis !== open);
    const openSize = x ? dividedBy(cancelled(x, others), cancelled(others, x)) : undefined;
    dims[open] = openSize;
    // [N, C, ?] → [−1, C]: all that is left is rows, though nobody knows how many for each input.
    if (openSize === undefined && open === 0 && x && isBatch(x[0]) && others.every(dim => typeof dim === 'number')) {
      const row = sizeOf(x.slice(1));
      const piece = sizeOf(others);
      if (typeof row === 'number' && typeof piece === 'number' && row % piece === 0) dims[0] = times(x[0], row / piece);
    }
  }
  const leads = x !== undefined && isBatch(x[0]) && isBatch(dims[0]) && dims.slice(1).every(dim => !isBatch(dim));
  if (!leads) call.mixes = true;
  return [{ dims, numbers: dims.length <= 1 ? call.inputs[0]?.numbers : undefined }];
}

/** The product of `dims`, without the sizes that `others` has too: unknown ones cancel only where they are the same known size. */
function cancelled(dims: readonly Dim[], others: readonly Dim[]): Dim {
  const left = [...others];
  const rest = dims.filter(dim => {
    const at = left.findIndex(other => same(other, dim));
    if (at < 0) return true;
    left.splice(at, 1);
    return false;
  });
  return sizeOf(rest);
}

export function flatten(call: Call): Made[] | undefined {
  const x = call.dims(0);
  if (!x) return undefined;
  const axis = axisOf(call.int('axis', 1), x.length);
  if (axis === 0 || !isBatch(x[0])) call.mixes = true;
  return [{ dims: [sizeOf(x.slice(0, axis)), sizeOf(x.slice(axis))] }];
}

export function transpose(call: Call): Made[] | undefined {
  const x = call.dims(0);
  if (!x) return undefined;
  const order = call.ints('perm') ?? range(0, x.length).toReversed();
  return [{ dims: order.map(axis => x[axis]) }];
}

export function squeeze(call: Call): Made[] | undefined {
  const x = call.dims(0);
  const axes = numbersOf(call.list('axes', 1));
  if (!x || (!axes && (call.inputs[1] || !numbersOf(x)))) return undefined;
  const gone = new Set(axes ? axes.map(axis => axisOf(axis, x.length)) : range(0, x.length).filter(i => x[i] === 1));
  call.across(0, [...gone]);
  return [{ dims: x.filter((_, axis) => !gone.has(axis)), numbers: call.inputs[0]?.numbers }];
}

export function unsqueeze(call: Call): Made[] | undefined {
  const x = call.dims(0);
  const axes = numbersOf(call.list('axes', 1));
  if (!x || !axes) return undefined;
  const rank = x.length + axes.length;
  const fresh = new Set(axes.map(axis => axisOf(axis, rank)));
  const rest = [...x];
  const dims = range(0, rank).map(axis => (fresh.has(axis) ? 1 : rest.shift()));
  return [{ dims, numbers: rank === 1 ? call.inputs[0]?.numbers : undefined }];
}

export function concat(call: Call): Made[] | undefined {
  const shapes = call.inputs.map(fact => fact?.dims);
  const rank = shapes[0]?.length;
  if (rank === undefined || shapes.some(dims => dims?.length !== rank)) return undefined;
  const known = shapes as readonly (readonly Dim[])[];
  const axis = axisOf(call.int('axis', 1), rank);
  call.inputs.forEach((_, input) => call.across(input, [axis]));
  const dims = broadcastAll(known);
  dims[axis] = known
    .map(one => one[axis])
    .reduce((a, b) => (typeof a === 'number' && typeof b === 'number' ? a + b : undefined));
  // A fixed piece can't be beside rows: it would have to be as long as the batch.
  if (call.inputs.some(fact => fact?.kind === 'fixed') && dims.some(isBatch)) call.mixes = true;
  const parts = call.inputs.map(fact => fact?.numbers);
  const numbers = rank === 1 && parts.every(part => part !== undefined) ? parts.flat() : undefined;
  return [{ dims, numbers }];
}

export function split(call: Call): Made[] | undefined {
  const x = call.dims(0);
  if (!x) return undefined;
  const axis = axisOf(call.int('axis', 0), x.length);
  call.across(0, [axis]);
  const count = call.node.output.length;
  const given = call.list('split', 1);
  const size = x[axis];
  const even = typeof size === 'number' ? Math.ceil(size / count) : undefined;
  return range(0, count).map(i => {
    const last = typeof size === 'number' && even !== undefined && i === count - 1 ? size - even * (count - 1) : even;
    return { dims: x.map((dim, at) => (at === axis ? (given ? given[i] : last) : dim)) };
  });
}

export function slice(call: Call): Made[] | undefined {
  const x = call.dims(0);
  const starts = numbersOf(call.list('starts', 1));
  const ends = numbersOf(call.list('ends', 2));
  if (!x) return undefined;
  const givenAxes = call.list('axes', 3);
  const axes = givenAxes ? numbersOf(givenAxes) : call.inputs[3] ? undefined : range(0, (starts ?? []).length);
  const steps = call.inputs[4] ? numbersOf(call.inputs[4].numbers) : undefined;
  if (!axes || (call.inputs[4] && !steps)) {
    call.mixes = true;
    return [{ dims: x.map(() => undefined) }];
  }
  const dims = [...x];
  let numbers = x.length === 1 ? call.inputs[0]?.numbers : undefined;
  axes.forEach((raw, i) => {
    const axis = axisOf(raw, x.length);
    const start = starts?.[i];
    const end = ends?.[i];
    const step = steps?.[i] ?? 1;
    const size = x[axis];
    if (start === 0 && step === 1 && end !== undefined && end >= 2 ** 31 - 1) return;
    call.across(0, [axis]);
    dims[axis] = undefined;
    if (start === undefined || end === undefined || typeof size !== 'number' || step < 1) {
      numbers = undefined;
      return;
    }
    const clamp = (at: number): number => Math.min(size, Math.max(0, at < 0 ? at + size : at));
    dims[axis] = Math.max(0, Math.ceil((clamp(end) - clamp(start)) / step));
    numbers = numbers?.slice(clamp(start), clamp(end)).filter((_, at) => at % step === 0);
  });
  return [{ dims, numbers }];
}

export function gather(call: Call): Made[] | undefined {
  const data = call.dims(0);
  const indices = call.dims(1);
  if (!data || !indices) return undefined;
  const axis = axisOf(call.int('axis', 0), data.length);
  call.across(0, [axis]);
  const values = call.inputs[0]?.numbers;
  const picked = numbersOf(call.inputs[1]?.numbers);
  return [
    {
      dims: [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)],
      numbers: values && data.length === 1 ? picked?.map(at => values.at(at)) : undefined,
    },
  ];
}

export function expand(call: Call): Made[] | undefined {
  const x = call.dims(0);
  const target = call.inputs[1]?.numbers;
  return x && target && [{ dims: broadcastAll([x, target]) }];
}

export function tile(call: Call): Made[] | undefined {
  const x = call.dims(0);
  const repeats = call.inputs[1]?.numbers;
  if (!x || repeats?.length !== x.length) return undefined;
  call.across(
    0,
    range(0, x.length).filter(axis => repeats[axis] !== 1),
  );
  return [{ dims: x.map((dim, axis) => times(dim, repeats[axis])) }];
}

export function pad(call: Call): Made[] | undefined {
  const x = call.dims(0);
  const pads = numbersOf(call.list('pads', 1));
  if (!x || pads?.length !== 2 * x.length || call.inputs[3]) {
    call.mixes = true;
    return undefined;
  }
  const added = x.map((_, axis) => pads[axis]! + pads[axis + x.length]!);
  call.across(
    0,
    range(0, x.length).filter(axis => pads[axis] !== 0 || pads[axis + x.length] !== 0),
  );
  return [
    {
      dims: x.map((dim, axis) => (added[axis] === 0 ? dim : typeof dim === 'number' ? dim + added[axis]! : undefined)),
    },
  ];
}

/** Resize and Upsample. */
export function resize(call: Call): Made[] | undefined {
  const x = call.dims(0);
  if (!x) return undefined;
  const upsample = call.node.opType === 'Upsample' || call.opset < 11;
  const scales = call.floats('scales') ?? call.inputs[upsample ? 1 : 2]?.numbers;
  const sizes = call.inputs[3]?.numbers;
  const axes = call.ints('axes')?.map(axis => axisOf(axis, x.length)) ?? range(0, x.length);
  const dims = [...x];
  axes.forEach((axis, i) => {
    const scale = scales?.[i];
    const size = sizes?.[i];
    if (scale === 1 || same(size, x[axis])) return;
    call.across(0, [axis]);
    const before = x[axis];
    dims[axis] = sizes
      ? size
      : typeof scale === 'number' && typeof before === 'number'
        ? Math.floor(before * scale)
        : undefined;
  });
  return [{ dims }];
}

export function depthToSpace(call: Call): Made[] | undefined {
  const x = call.dims(0);
  const block = call.int('blocksize', 0);
  if (x?.length !== 4 || block < 1) return undefined;
  call.across(0, [1, 2, 3]);
  const deeper = call.node.opType === 'SpaceToDepth';
  const spatial = x.slice(2).map(dim => (deeper ? dividedBy(dim, block) : times(dim, block)));
  return [{ dims: [x[0], deeper ? times(x[1], block * block) : dividedBy(x[1], block * block), ...spatial] }];
}

/** What isn't a number of the batch becomes known here: a shape depends on no input's content. */
export function shape(call: Call): Made[] | undefined {
  const x = call.dims(0);
  if (!x) return [{ dims: [undefined], type: T.INT64 }];
  const from = axisOf(call.int('start', 0), x.length);
  const numbers = x.slice(from, axisOf(call.int('end', x.length), x.length));
  return [{ dims: [numbers.length], type: T.INT64, numbers }];
}

export function constantOfShape(call: Call): Made[] | undefined {
  const value = call.node.attribute.find(({ name }) => name === 'value')?.t;
  return [{ dims: call.inputs[0]?.numbers, type: value?.dataType ?? T.FLOAT }];
}
