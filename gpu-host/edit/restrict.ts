import { create } from '@bufbuild/protobuf';
import { TensorProtoSchema, type GraphProto, type NodeProto, type TensorProto, type ValueInfoProto } from 'onnx-buf';
import { ConfigError } from '../../contracts/index.ts';
import { changed, indexGraph, integerOf, nameOfNode, valueInfo, withConstant } from './graph-edit.ts';

/** A constant to cut: input `input` of the node that makes `output`; `axis` counts the classes. */
interface Cut {
  readonly output: string;
  readonly input: number;
  readonly tensor: TensorProto;
  readonly axis: number;
}

/**
 * Leaves some of the classes that a graph's last layer gives: the columns of its weights and bias are copied, so that the scores of
 * the classes that stay are the same sums of the same products. A softmax behind them runs over fewer classes.
 * @param output tensor whose last dimension counts the classes
 * @param classes how many there are
 * @param kept which stay, ascending
 * @throws ConfigError when the classes don't come out of a MatMul or Gemm with constant weights, with nothing behind that mixes them
 */
export function restrictGraph(
  graph: GraphProto,
  options: { model: string; output: string; classes: number; kept: readonly number[] },
): GraphProto {
  const { model, classes, kept } = options;
  const { cuts, path } = lastLayer(graph, options);
  let cut = graph;
  for (const { output, tensor, axis, input } of cuts) {
    const node = cut.node.find(one => one.output.includes(output))!;
    const count = Number(tensor.dims[axis]);
    if (count !== classes)
      throw new ConfigError(
        `model ${model}: ${nameOfNode(node)} gives ${count} classes; keys, blank and space make ${classes}`,
      );
    cut = withConstant(cut, { node, input, tensor: takeSlices(model, tensor, axis, kept) });
  }
  return changed(cut, {
    // Shapes of what now has fewer classes: an output's is told anew, those inside may be left out.
    valueInfo: cut.valueInfo.filter(({ name }) => !path.includes(name)),
    output: cut.output.map(info => (path.includes(info.name) ? withLastDim(info, kept.length) : info)),
  });
}

function withLastDim(info: ValueInfoProto, size: number): ValueInfoProto {
  if (info.type?.value.case !== 'tensorType') return info;
  const { elemType, shape } = info.type.value.value;
  const dims = shape?.dim.slice(0, -1).map(({ value }) => value.value ?? '');
  return valueInfo(info.name, elemType, dims && [...dims, size]);
}

/** From the output back to the layer that makes the classes. `path`: the tensors whose last dimension counts them. */
function lastLayer(
  graph: GraphProto,
  { model, output }: { model: string; output: string },
): { cuts: Cut[]; path: string[] } {
  const { producers, readers, constant } = indexGraph(graph);
  const cuts: Cut[] = [];
  const path: string[] = [];
  for (let name = output; ; ) {
    const node = producers.get(name);
    if (!node) throw new ConfigError(`model ${model}: its classes can't be cut: no node makes "${name}"`);
    const refuse = (detail: string, which = node): never => {
      throw new ConfigError(`model ${model}: its classes can't be cut: ${nameOfNode(which)} ${detail}`);
    };
    const cutConstant = (input: number, axis?: number): void => {
      const tensor = constant(node.input[input])!;
      cuts.push({ output: name, input, tensor, axis: axis ?? tensor.dims.length - 1 });
    };
    const isBroadcast = (input: number): boolean => Number(constant(node.input[input])?.dims.at(-1) ?? 1) === 1;
    const behind = path.at(-1);
    const other = (readers.get(name) ?? []).find(reader => behind === undefined || !reader.output.includes(behind));
    if (other) refuse(`reads the classes "${name}" too`, other);
    path.push(name);
    switch (node.opType) {
      case 'Softmax':
      case 'LogSoftmax':
        if (!runsOverLastAxis(graph, node)) refuse("doesn't run over the last axis alone");
        name = node.input[0]!;
        break;
      case 'Identity':
      case 'Cast':
        name = node.input[0]!;
        break;
      case 'Add': {
        const input = node.input.findIndex(one => constant(one));
        if (input < 0) return refuse('adds two tensors that are both reckoned');
        if (!isBroadcast(input)) cutConstant(input);
        name = node.input[1 - input]!;
        break;
      }
      case 'MatMul':
        if ((constant(node.input[1])?.dims.length ?? 0) < 2) refuse('has no constant weights on its right');
        cutConstant(1);
        return { cuts, path };
      case 'Gemm':
        if (!constant(node.input[1])) refuse('has no constant weights');
        cutConstant(1, integerOf(node, 'transB') === 1 ? 0 : 1);
        if ((node.input[2] ?? '') !== '') {
          if (!constant(node.input[2])) refuse('has a bias that is no constant');
          if (!isBroadcast(2)) cutConstant(2);
        }
        return { cuts, path };
      default:
        return refuse(
          'makes them; cut is a MatMul or Gemm with nothing behind but Add, Softmax, LogSoftmax, Cast, Identity',
        );
    }
  }
}

/** Before opset 13 the default axis was 1, and all axes from there on were taken together. */
function runsOverLastAxis(graph: GraphProto, node: NodeProto): boolean {
  const axis = integerOf(node, 'axis');
  if (axis === -1) return true;
  const info = [...graph.output, ...graph.valueInfo].find(({ name }) => name === node.output[0]);
  const rank = info?.type?.value.case === 'tensorType' ? info.type.value.value.shape?.dim.length : undefined;
  return rank !== undefined && (axis ?? 1) === rank - 1;
}

/** Copies some slices of a tensor along an axis, byte for byte. @throws ConfigError for tensors that aren't stored plainly */
function takeSlices(model: string, tensor: TensorProto, axis: number, kept: readonly number[]): TensorProto {
  const { name, dataType, rawData, floatData } = tensor;
  const raw = rawData.length > 0 ? rawData : new Uint8Array(Float32Array.from(floatData).buffer);
  const sizes = tensor.dims.map(Number);
  const outer = sizes.slice(0, axis).reduce((a, b) => a * b, 1);
  const run = raw.length / (outer * sizes[axis]!);
  if (run === 0 || !Number.isInteger(run))
    throw new ConfigError(`model ${model}: the weights "${name}" are neither raw data nor float32`);
  const out = new Uint8Array(outer * kept.length * run);
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (const index of kept) {
      const from = (o * sizes[axis]! + index) * run;
      out.set(raw.subarray(from, from + run), at);
      at += run;
    }
  const dims = tensor.dims.map((dim, i) => (i === axis ? BigInt(kept.length) : dim));
  return create(TensorProtoSchema, { name, dataType, dims, rawData: out });
}
