import { create } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as A,
  AttributeProtoSchema,
  NodeProtoSchema,
  type AttributeProto,
  type NodeProto,
  type TensorProto,
} from 'onnx-buf';
import { GraphError } from './error.ts';
import { fedInputs } from './hash.ts';
import type { OnnxModel } from './model.ts';
import { changed, valueInfo } from './protos.ts';
import { withReads } from './rename.ts';
import { T, tensorOf } from './tensor.ts';

/** How bytes become what the model's input takes: (value·scale − mean) / std for each channel, as a manifest's preprocessing does. */
export interface InputGraft {
  /** Which input; default the only one. */
  readonly input?: string;
  /** One for all channels or one for each, in the model's order of channels; default 0 and 1. */
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  /** Default 1/255. */
  readonly scale?: number;
  /** Of the model's input; default nchw. */
  readonly layout?: 'nchw' | 'nhwc';
  /** Channels as the model takes them; bytes are fed as rgb. Default rgb. */
  readonly order?: 'rgb' | 'bgr';
}

/**
 * The model with an input of bytes under the same name: uint8 [N,H,W,C] instead of float32 [N,C,H,W] (or [N,H,W,C]), normalised in front of the graph.
 * A quarter of the bytes cross to the device. Equal to preprocessing on the CPU within 1e-6 of the largest value.
 * @throws GraphError the input isn't a float32 picture, or the constants don't fit its channels
 */
export function graftInput(model: OnnxModel, graft: InputGraft): OnnxModel {
  const graph = model.proto.graph!;
  const inputs = fedInputs(graph);
  const { layout = 'nchw', order = 'rgb', scale = 1 / 255, mean = [0], std = [1] } = graft;
  const info = inputs.find(({ name }) => name === graft.input) ?? (graft.input === undefined ? inputs[0] : undefined);
  if (!info || (graft.input === undefined && inputs.length > 1))
    throw new GraphError(
      model.name,
      `input "${graft.input ?? ''}"`,
      `say which of ${inputs.map(({ name }) => name).join(', ')}`,
    );
  const { name } = info;
  const refuse = (detail: string): never => {
    throw new GraphError(model.name, `input "${name}"`, detail);
  };
  const type = info.type?.value.case === 'tensorType' ? info.type.value.value : undefined;
  const dims = type?.shape?.dim.map(({ value }, axis): number | string =>
    value.case === 'dimValue' ? Number(value.value) : value.value || `${name}.${axis}`,
  );
  if (type?.elemType !== T.FLOAT || dims?.length !== 4) return refuse('is no float32 picture of four axes');
  const [batch, ...rest] = dims as [number | string, number | string, number | string, number | string];
  const [height, width, channels] = layout === 'nchw' ? [rest[1], rest[2], rest[0]] : rest;
  if (typeof channels !== 'number') return refuse('has no fixed number of channels');
  for (const [what, values] of Object.entries({ mean, std }))
    if (![1, channels].includes(values.length))
      refuse(`takes ${channels} channels, ${what} has ${values.length} values`);
  if (std.includes(0) || scale === 0) refuse('std or scale is 0');
  if (order === 'bgr' && channels !== 3) refuse(`is bgr, but has ${channels} channels`);

  const prefix = `${name}.bytes`;
  const taken = new Set([
    ...graph.node.flatMap(({ input, output }) => [...input, ...output]),
    ...graph.initializer.map(one => one.name),
  ]);
  if ([...taken].some(one => one.startsWith(prefix))) refuse('has been grafted already');
  const perChannel = (values: readonly number[], channel: number): number => values[values.length === 1 ? 0 : channel]!;
  const factors = Float32Array.from({ length: channels }, (_, c) => scale / perChannel(std, c));
  const offsets = Float32Array.from({ length: channels }, (_, c) => -perChannel(mean, c) / perChannel(std, c));
  const shape = layout === 'nchw' ? [channels, 1, 1] : [channels];
  const initialisers: TensorProto[] = [
    tensorOf(`${prefix}.factor`, T.FLOAT, shape, factors),
    tensorOf(`${prefix}.offset`, T.FLOAT, shape, offsets),
  ];
  const nodes: NodeProto[] = [];
  let last = name;
  const then = (opType: string, constant: string | undefined, ...attribute: AttributeProto[]): void => {
    const output = `${prefix}.${nodes.length}`;
    nodes.push(
      create(NodeProtoSchema, { opType, input: constant ? [last, constant] : [last], output: [output], attribute }),
    );
    last = output;
  };
  if (order === 'bgr') {
    initialisers.push(tensorOf(`${prefix}.order`, T.INT64, [3], BigInt64Array.of(2n, 1n, 0n)));
    then('Gather', `${prefix}.order`, create(AttributeProtoSchema, { name: 'axis', type: A.INT, i: 3n }));
  }
  if (layout === 'nchw')
    then('Transpose', undefined, create(AttributeProtoSchema, { name: 'perm', type: A.INTS, ints: [0n, 3n, 1n, 2n] }));
  then('Cast', undefined, create(AttributeProtoSchema, { name: 'to', type: A.INT, i: BigInt(T.FLOAT) }));
  then('Mul', `${prefix}.factor`);
  then('Add', `${prefix}.offset`);
  const renamed = new Map([[name, last]]);
  return {
    name: model.name,
    external: model.external,
    proto: changed(model.proto, {
      // From 4 on initialisers need not be inputs.
      irVersion: model.proto.irVersion < 4n ? 4n : model.proto.irVersion,
      graph: changed(graph, {
        node: [...nodes, ...graph.node.map(node => withReads(node, renamed))],
        initializer: [...graph.initializer, ...initialisers],
        input: graph.input.map(one =>
          one === info ? valueInfo(name, T.UINT8, [batch, height, width, channels]) : one,
        ),
        valueInfo: graph.valueInfo.filter(one => one.name !== name),
      }),
    }),
  };
}
