import { ConfigError } from '../../contracts/index.ts';
import {
  commonPrefixes,
  signatureOf,
  splitAt,
  type OnnxModel,
  type PrefixGroup,
  type SharedCut,
  type Signature,
} from '../../gpu-host/graph/index.ts';
import type { NamedModel } from './read.ts';

/** One model by itself. */
export interface ModelFigures {
  readonly name: string;
  readonly file: string;
  readonly nodes: number;
  readonly parameters: number;
  /** Of the weights. */
  readonly bytes: number;
  /** Estimated multiply-adds for one input. */
  readonly cost: number;
  /** What crosses along the way: bytes for one input where so much of the cost is done. */
  readonly narrows: readonly { readonly cost: number; readonly bytes: number }[];
  /** It is in no group: why not. */
  readonly alone: string | undefined;
}

/** Members that leave the trunk of their group alike. */
export interface Parting {
  readonly members: readonly string[];
  /** What reads the trunk's last tensors; empty where nothing is left behind it. */
  readonly first: readonly string[];
}

export interface StudiedGroup {
  /** From 1, in the order in which they are told. */
  readonly id: string;
  readonly group: PrefixGroup;
  /** The cut that is proposed or was asked for. */
  readonly cut: SharedCut;
  /** The cut was asked for. */
  readonly asked: boolean;
  /** Multiply-adds before the trunk of the group around it ends; 0 for an outermost one. */
  readonly begins: number;
  readonly partings: readonly Parting[];
  /** Weights of the members apart, and with the trunk once. */
  readonly apartBytes: number;
  readonly togetherBytes: number;
  readonly inner: readonly StudiedGroup[];
}

export interface Study {
  readonly models: readonly ModelFigures[];
  readonly groups: readonly StudiedGroup[];
}

/**
 * What models share.
 * @param wanted number of a cut in the table of the first group, or the beginning of a cut's hash
 * @throws ConfigError when no group has the wanted cut
 */
export function study(models: readonly NamedModel[], wanted?: string): Study {
  const signatures = models.map(({ name, model, dims }) => signatureOf(name, model, { inputDims: dims }));
  const found = commonPrefixes(signatures);
  const byName = new Map(models.map((model, i) => [model.name, { model, signature: signatures[i]! }]));
  const figures = models.map((model, i) => figuresOf(model, signatures[i]!));
  const bytesOf = new Map(figures.map(({ name, bytes }) => [name, bytes]));
  const chosen = wanted === undefined ? undefined : chooseCut(found, wanted);
  const studied = (group: PrefixGroup, id: string, begins: number): StudiedGroup => {
    const asked = group.cuts.find(({ hash }) => hash === chosen);
    const cut = asked ?? group.best;
    const apartBytes = group.members.reduce((sum, name) => sum + bytesOf.get(name)!, 0);
    return {
      id,
      group,
      cut,
      asked: asked !== undefined,
      begins,
      partings: partingsOf(group, name => byName.get(name)!.model.model),
      apartBytes,
      togetherBytes: apartBytes - (group.members.length - 1) * cut.prefix.parameterBytes,
      inner: group.groups.map((inner, i) => studied(inner, `${id}.${i + 1}`, group.cuts[0]!.prefix.cost)),
    };
  };
  const groups = found.map((group, i) => studied(group, String(i + 1), 0));
  const grouped = new Set(found.flatMap(({ members }) => members));
  const explain = (name: string): string | undefined => {
    if (grouped.has(name)) return undefined;
    const others = models.filter(other => other.name !== name);
    return whyAlone(byName.get(name)!.model, byName.get(name)!.signature, others);
  };
  return { models: figures.map(model => ({ ...model, alone: explain(model.name) })), groups };
}

const HASH_MIN = 4;

/** The hash of the cut that begins so, or that has that number among those of the first group. */
function chooseCut(groups: readonly PrefixGroup[], wanted: string): string {
  const refuse = (detail: string): never => {
    throw new ConfigError(detail, {
      field: '--cut',
      remedy: 'take a number or hash of the table that is printed without it',
    });
  };
  const [first] = groups;
  if (!first) return refuse('the models share nothing that could be cut');
  const numbered = proposals({ group: first, begins: 0 });
  if (/^\d{1,3}$/.test(wanted))
    return numbered[Number(wanted) - 1]?.hash ?? refuse(`there are cuts 1 to ${numbered.length}, not ${wanted}`);
  if (!/^[0-9a-f]+$/.test(wanted) || wanted.length < HASH_MIN)
    return refuse(`"${wanted}" is neither a number nor the beginning of a hash, ${HASH_MIN} hex digits at least`);
  const all = (group: PrefixGroup): readonly string[] => [
    ...group.cuts.map(({ hash }) => hash),
    ...group.groups.flatMap(all),
  ];
  const matching = new Set(groups.flatMap(all).filter(hash => hash.startsWith(wanted)));
  const [one] = matching;
  if (!one) return refuse(`no cut that is shared begins with ${wanted}`);
  return matching.size > 1 ? refuse(`${matching.size} cuts begin with ${wanted}`) : one;
}

const PROPOSALS_MAX = 12;

/**
 * The cuts of a group that are worth choosing between, deepest first: none inside a fusion unless all are, and of neighbours less than 1 %
 * of the compute apart the one with the fewest bytes across; of an inner group those that the group around it doesn't have.
 */
export function proposals({ group: { cuts, best }, begins }: Pick<StudiedGroup, 'group' | 'begins'>): SharedCut[] {
  const clean = cuts.filter(cut => cut.insideFusion === best.insideFusion && cut.prefix.cost > begins);
  const chosen: SharedCut[] = [best];
  for (const cut of clean) {
    const near = chosen.findIndex(one => Math.abs(shareOf(one) - shareOf(cut)) < 0.01);
    if (near < 0) chosen.push(cut);
    else if (chosen[near] !== best && bytesAcross(cut) < bytesAcross(chosen[near]!)) chosen[near] = cut;
  }
  const step = Math.max(1, (chosen.length - 1) / (PROPOSALS_MAX - 1));
  const picked = Array.from(
    { length: Math.min(chosen.length, PROPOSALS_MAX) },
    (_, i) => chosen[Math.round(i * step)]!,
  );
  return picked.sort((a, b) => b.prefix.cost - a.prefix.cost);
}

/** Of the compute of the member that has most behind the cut. */
export const shareOf = ({ shares }: SharedCut): number => Math.min(...Object.values(shares));

/** For one input; infinite where it isn't known. */
export const bytesAcross = ({ tensors }: Pick<SharedCut, 'tensors'>): number =>
  tensors.reduce((sum, { bytesPerInput }) => sum + (bytesPerInput ?? Infinity), 0);

function figuresOf({ name, file, model }: NamedModel, { cuts }: Signature): Omit<ModelFigures, 'alone'> {
  const whole = cuts.find(({ suffix }) => suffix.nodes === 0);
  const parts = whole ? [whole.prefix] : cuts.length > 0 ? [cuts[0]!.prefix, cuts[0]!.suffix] : [];
  const total = (of: 'nodes' | 'parameters' | 'parameterBytes' | 'cost'): number =>
    parts.reduce((sum, part) => sum + part[of], 0);
  // Inside a fusion the bytes jump up and down.
  const clean = cuts.filter(cut => !cut.insideFusion || cut === whole);
  return {
    name,
    file,
    nodes: total('nodes') || model.proto.graph!.node.length,
    parameters: total('parameters'),
    bytes: total('parameterBytes'),
    cost: total('cost'),
    narrows: clean.flatMap(cut => {
      const bytes = bytesAcross(cut);
      return Number.isFinite(bytes) ? [{ cost: cut.prefix.cost, bytes }] : [];
    }),
  };
}

const FIRST_MAX = 3;

function partingsOf({ members, cuts }: PrefixGroup, modelOf: (name: string) => OnnxModel): Parting[] {
  const alike = new Map<string, { members: string[]; first: string[] }>();
  for (const member of members) {
    const first = partingOf(modelOf(member), cuts[0]!);
    const known = alike.get(first.join());
    if (known) known.members.push(member);
    else alike.set(first.join(), { members: [member], first });
  }
  return [...alike.values()];
}

/** Weights of all groups: apart, and where each model is in the group that saves most, the outer one or an inner. */
export function totals(groups: readonly StudiedGroup[]): { apart: number; least: number } {
  const apart = groups.reduce((sum, { apartBytes }) => sum + apartBytes, 0);
  return { apart, least: apart - groups.reduce((sum, group) => sum + savedBytes(group), 0) };
}

/** Inner groups may overlap; they are then reckoned one at a time. */
function savedBytes({ apartBytes, togetherBytes, inner }: StudiedGroup): number {
  const members = inner.flatMap(({ group }) => group.members);
  const each = inner.map(savedBytes);
  const within = new Set(members).size === members.length ? each.reduce((a, b) => a + b, 0) : Math.max(0, ...each);
  return Math.max(apartBytes - togetherBytes, within);
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
function whyAlone({ model, fixedBatch }: NamedModel, { cuts }: Signature, others: readonly NamedModel[]): string {
  if (cuts.length === 0)
    return fixedBatch === undefined ? 'there is no place where it could be cut' : `its batch is fixed: ${fixedBatch}`;
  const own = describeInputs(model);
  if (others.every(other => describeInputs(other.model) !== own)) return `no other model takes ${own}`;
  const opset = opsetOf(model);
  const alike = others.filter(other => describeInputs(other.model) === own);
  if (alike.every(other => opsetOf(other.model) !== opset))
    return `it has opset ${opset}, the others ${[...new Set(alike.map(other => opsetOf(other.model)))].join(', ')}: operators of another opset may compute otherwise`;
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
      return `[${shape?.dim.map(({ value }, axis) => (axis === 0 ? 'N' : value.case === 'dimValue' ? value.value : '?')).join(',') ?? '?'}]`;
    })
    .join(', ');
}
