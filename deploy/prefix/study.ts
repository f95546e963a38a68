import {
  commonPrefixes,
  signatureOf,
  type PrefixGroup,
  type SharedCut,
  type Signature,
} from '../../gpu-host/graph/index.ts';
import { bytesAcross, chooseCut, type Begun } from './cuts.ts';
import { partingsOf, whyAlone, type Parting } from './explain.ts';
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

export interface StudiedGroup extends Begun {
  /** From 1, in the order in which they are told. */
  readonly id: string;
  /** The cut that is proposed or was asked for. */
  readonly cut: SharedCut;
  /** The cut was asked for. */
  readonly asked: boolean;
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
