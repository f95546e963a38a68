import {
  splitAt,
  type OnnxModel,
  type PrefixGroup,
  type SharedCut,
  type Signature,
} from '../../gpu-host/graph/index.ts';
import type { NamedModel } from './read.ts';

/** Members that leave the trunk of their group alike. */
export interface Parting {
  readonly members: readonly string[];
  /** What reads the trunk's last tensors; empty where nothing is left behind it. */
  readonly first: readonly string[];
}

const FIRST_MAX = 3;

/** Where the members of a group leave its trunk. */
export function partingsOf({ members, cuts }: PrefixGroup, modelOf: (name: string) => OnnxModel): Parting[] {
  const alike = new Map<string, { members: string[]; first: string[] }>();
  for (const member of members) {
    const first = partingOf(modelOf(member), cuts[0]!);
    const known = alike.get(first.join());
    if (known) known.members.push(member);
    else alike.set(first.join(), { members: [member], first });
  }
  return [...alike.values()];
}

/** `MatMul [120,11]`: what a model does first behind a cut. */
function partingOf(model: OnnxModel, cut: SharedCut): string[] {
  const graph = splitAt(model, cut).suffix.proto.graph!;
  const crossing = new Set(graph.input.map(({ name }) => name));
  const dims = new Map(graph.initializer.map(tensor => [tensor.name, tensor.dims]));
  for (const node of graph.node) {
    const value = node.opType === 'Constant' ? node.attribute.find(({ name }) => name === 'value')?.t : undefined;
    if (value) dims.set(node.output[0]!, value.dims);
  }
  const first = graph.node.filter(
    ({ opType, input }) => opType !== 'Identity' && input.some(name => crossing.has(name)),
  );
  return first.slice(0, FIRST_MAX).map(({ opType, input }) => {
    const weights = input.map(name => dims.get(name)).find(found => found !== undefined && found.length > 0);
    return weights ? `${opType} [${weights.join(',')}]` : opType;
  });
}

/** What keeps a model from sharing with the others. */
export function whyAlone(
  { model, fixedBatch }: NamedModel,
  { cuts }: Signature,
  others: readonly NamedModel[],
): string {
  if (cuts.length === 0)
    return fixedBatch === undefined ? 'there is no place where it could be cut' : `its batch is fixed: ${fixedBatch}`;
  const own = describeInputs(model);
  if (others.every(other => describeInputs(other.model) !== own)) return `no other model takes ${own}`;
  const opset = opsetOf(model);
  const alike = others.filter(other => describeInputs(other.model) === own);
  if (alike.every(other => opsetOf(other.model) !== opset))
    return `it has opset ${opset}, where operators may compute otherwise than in ${[...new Set(alike.map(other => opsetOf(other.model)))].join(', ')}`;
  return 'its first layer with weights is another';
}

const opsetOf = ({ proto }: OnnxModel): string =>
  String(proto.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 'none');

function describeInputs({ proto }: OnnxModel): string {
  const graph = proto.graph!;
  const initialised = new Set(graph.initializer.map(({ name }) => name));
  return graph.input
    .filter(({ name }) => !initialised.has(name))
    .map(({ type }) => {
      const shape = type?.value.case === 'tensorType' ? type.value.value.shape : undefined;
      const dims = shape?.dim.map(({ value }, axis) =>
        axis === 0 ? 'N' : value.case === 'dimValue' ? value.value : '?',
      );
      return `[${dims?.join(',') ?? '?'}]`;
    })
    .join(', ');
}
