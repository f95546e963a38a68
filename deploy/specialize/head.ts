import { TensorProto_DataType as T, type GraphProto } from 'onnx-buf';
import { ConfigError } from '../../contracts/index.ts';
import { didYouMean } from '../documents/index.ts';
import {
  changed,
  constantNode,
  freshName,
  indexGraph,
  integer,
  integers,
  nodeOf,
  pruned,
  tensorOf,
  valueInfo,
} from '../../gpu-host/edit/index.ts';
import type { LinearHead } from './fit-head.ts';

/** From here on Gemm broadcasts its bias. */
export const OPSET_MIN = 7;
/** From here on the axes of ReduceMean are an input. */
const OPSET_AXES_INPUT = 18;
const LAYERS = ['MatMul', 'Gemm'];

/** A graph that gives one tensor alone, and that tensor's name. */
export interface Cutting {
  readonly graph: GraphProto;
  readonly output: string;
}

/** The tensor that a backbone's last MatMul or Gemm with constant weights reads; where there is none, the first output. */
export function defaultFeatures(graph: GraphProto): string {
  const { constant } = indexGraph(graph);
  const last = graph.node.findLast(
    ({ opType, input }) => LAYERS.includes(opType) && constant(input[1]) && !constant(input[0]),
  );
  return last?.input[0] ?? graph.output[0]!.name;
}

/** What a graph needs to make one tensor, as it was. @throws ConfigError when it makes no such tensor */
export function cutAt(graph: GraphProto, tensor: string): Cutting {
  const { producers, constant } = indexGraph(graph);
  if (!producers.has(tensor) || constant(tensor))
    throw new ConfigError(`the graph reckons no tensor "${tensor}"`, {
      field: '--features',
      remedy: didYouMean(tensor, [...producers.keys()].slice(-12), 'its last tensors'),
    });
  const output = graph.output.find(({ name }) => name === tensor) ?? valueInfo(tensor, T.FLOAT, undefined);
  return { graph: pruned(graph, [output]), output: tensor };
}

/**
 * Behind the tensor one vector for each input: the mean over the places of a map [N,C,H,W] or the steps of a sequence [N,T,C].
 * @param rank of the tensor, the batch counted
 * @throws ConfigError for other ranks
 */
export function pooled({ graph, output }: Cutting, rank: number, opset: number): Cutting {
  if (rank === 2) return { graph, output };
  const axes = rank === 3 ? [1] : rank === 4 ? [2, 3] : undefined;
  if (!axes)
    throw new ConfigError(`tensor "${output}" has ${rank} dimensions; features are [N,C], [N,T,C] or [N,C,H,W]`, {
      field: '--features',
      remedy: 'name another tensor',
    });
  const features = freshName(graph, 'features');
  const mean = (inputs: string[], axes: ReturnType<typeof integers>[] = []) =>
    nodeOf('ReduceMean', [output, ...inputs], features, [...axes, integer('keepdims', 0)]);
  const name = freshName(graph, 'features_axes');
  const nodes =
    opset < OPSET_AXES_INPUT
      ? [mean([], [integers('axes', axes)])]
      : [constantNode(name, tensorOf('', [axes.length], BigInt64Array.from(axes, BigInt))), mean([name])];
  return {
    graph: changed(graph, { node: [...graph.node, ...nodes], output: [valueInfo(features, T.FLOAT, undefined)] }),
    output: features,
  };
}

/** Behind features [N,C] the head's Gemm and a Softmax: probabilities [N,classes]. */
export function withHead({ graph, output }: Cutting, { weights, bias }: LinearHead): Cutting {
  const [weightsName, biasName, scores, probabilities] = ['head_weights', 'head_bias', 'scores', 'probabilities'].map(
    name => freshName(graph, name),
  ) as [string, string, string, string];
  return {
    graph: changed(graph, {
      node: [
        ...graph.node,
        constantNode(weightsName, tensorOf('', [weights.rows, weights.columns], Float32Array.from(weights.values))),
        constantNode(biasName, tensorOf('', [bias.length], Float32Array.from(bias))),
        nodeOf('Gemm', [output, weightsName, biasName], scores, [integer('transB', 1)]),
        nodeOf('Softmax', [scores], probabilities, [integer('axis', 1)]),
      ],
      output: [valueInfo(probabilities, T.FLOAT, ['N', weights.rows])],
    }),
    output: probabilities,
  };
}
