import { calledFunctions, canonicalPrefix, crossingInfo, crossingName, inputName } from './canonical.ts';
import { domainOf, functionKey } from './check.ts';
import { GraphError } from './error.ts';
import type { Hash } from './hash.ts';
import type { OnnxModel } from './model.ts';
import { changed, identityNode } from './protos.ts';
import { neededFor } from './prune.ts';
import { withReads } from './rename.ts';
import { factsOf } from './shapes/infer.ts';
import { isRandom, stepsBehind, stepsOf } from './steps.ts';
import { isExternal, rawTensor } from './tensor.ts';
import { hashesOf } from './view.ts';
import { nodeLabel, nodesOf } from './walk.ts';

/** The two parts of a model. Their weights are views on the model's bytes. */
export interface Parts {
  /** Inputs `in0`, `in1`, … by position, outputs named after hashes. The same bytes from every model that has this cut. */
  readonly prefix: OnnxModel;
  /** Inputs: those outputs of the prefix that this model uses, under the same names. Outputs: the model's. */
  readonly suffix: OnnxModel;
  /** Which input of the prefix takes which of the model's, by name. */
  readonly inputs: ReadonlyMap<string, string>;
}

/** What parts a model: a {@link Cut}, one shared with others, or any tensors that together cut it. */
export interface CutPlace {
  readonly tensors: readonly { readonly hash: Hash }[];
}

/**
 * Parts a model in two valid ones. Tensors beyond those that cross are allowed: the prefix gives them, this model's suffix leaves them.
 * @throws GraphError a tensor isn't in the model or has no known type, or another one crosses too
 */
export function splitAt(model: OnnxModel, cut: CutPlace): Parts {
  const behind = suffixAt(model, cut);
  const prefix = canonicalPrefix(model, hashesIn(cut));
  return { ...behind, prefix: { name: `${model.name}, prefix`, proto: prefix, external: new Map() } };
}

/** {@link splitAt} without the prefix, which takes the longer to write. @throws GraphError */
export function suffixAt(model: OnnxModel, cut: CutPlace): Omit<Parts, 'prefix'> {
  const tensors = hashesIn(cut);
  checkCut(model, tensors);
  const { all, inputs } = stepsOf(model);
  const read = new Set([...tensors, ...stepsBehind(model, tensors).flatMap(i => all[i]!.reads)]);
  return {
    suffix: { name: `${model.name}, suffix`, proto: suffixOf(model, new Set(tensors)), external: new Map() },
    inputs: new Map(
      [...inputs]
        .filter(([hash]) => read.has(hash))
        .map(([, { position, info }]) => [inputName(position), info.name] as const),
    ),
  };
}

const hashesIn = ({ tensors }: CutPlace): Hash[] => tensors.map(({ hash }) => hash);

function checkCut(model: OnnxModel, tensors: readonly Hash[]): void {
  const refuse = (where: string, detail: string): never => {
    throw new GraphError(model.name, where, detail);
  };
  if (tensors.length === 0) refuse('cut', 'no tensor crosses it');
  const { all, producer, inputs, outputs, names } = stepsOf(model);
  const crossing = new Set(tensors);
  for (const hash of crossing) {
    const name = names.get(hash);
    if (name === undefined) refuse(`tensor ${hash.slice(0, 12)}`, 'is not in this graph');
    else if (factsOf(model).get(name)?.type === undefined) refuse(`tensor "${name}"`, 'has no known element type');
  }
  const inside = new Set(stepsBehind(model, tensors).filter(i => all[i]!.dynamic));
  for (const i of inside)
    if (isRandom(all[i]!.node)) refuse(nodeLabel(all[i]!.node), 'is random: two members would not get the same');
  const live = new Set(stepsBehind(model, outputs));
  const isBefore = (hash: Hash): boolean => inputs.has(hash) || inside.has(producer.get(hash) ?? -1);
  const check = (hash: Hash): void => {
    if (isBefore(hash) && !crossing.has(hash)) refuse(`tensor "${names.get(hash)}"`, 'crosses the cut too');
  };
  outputs.forEach(check);
  for (const i of live) if (!inside.has(i)) all[i]!.reads.forEach(check);
}

/** What is left of a model when `crossing` is fed. Names stay, but for the tensors at the cut. */
function suffixOf(model: OnnxModel, crossing: ReadonlySet<Hash>): OnnxModel['proto'] {
  const { proto, external } = model;
  const graph = proto.graph!;
  const { values } = hashesOf(model);
  const renamed = new Map<string, string>();
  for (const [name, hash] of values) if (crossing.has(hash)) renamed.set(name, crossingName(hash));
  const { nodes: kept, names } = neededFor(graph, name => renamed.has(name));
  const nodes = graph.node.filter((_, i) => kept.has(i)).map(node => withReads(node, renamed));
  for (const { name } of graph.output) if (renamed.has(name)) nodes.push(identityNode(renamed.get(name)!, name));
  const used = new Set([...names].flatMap(name => (renamed.has(name) ? values.get(name)! : [])));
  const domains = new Set([...nodesOf(nodes)].map(({ domain }) => domain));
  return changed(proto, {
    irVersion: proto.irVersion < IR_VERSION_MIN ? IR_VERSION_MIN : proto.irVersion,
    functions: calledFunctions(proto, nodes),
    trainingInfo: [],
    opsetImport: proto.opsetImport.filter(({ domain }) => domains.has(domain) || domain === '' || domain === 'ai.onnx'),
    graph: changed(graph, {
      node: nodes,
      initializer: graph.initializer
        .filter(({ name }) => names.has(name))
        .map(tensor => (isExternal(tensor) ? rawTensor(tensor, tensor.name, external) : tensor)),
      input: [...used].toSorted().map(hash => crossingInfo(model, hash)),
      valueInfo: graph.valueInfo.filter(({ name }) => names.has(name) && !renamed.has(name)),
      quantizationAnnotation: [],
    }),
  });
}

/** From here on initialisers need not be inputs. */
const IR_VERSION_MIN = 4n;

/**
 * One model again, with the inputs and outputs of the one that was split. For tests, and to fold a group of one.
 * @throws GraphError the parts aren't of one model
 */
export function joined({ prefix, suffix, inputs }: Parts): OnnxModel {
  const [first, second] = [prefix.proto.graph!, suffix.proto.graph!];
  const made = new Set(first.output.map(({ name }) => name));
  const missing = second.input.find(({ name }) => !made.has(name));
  if (missing) throw new GraphError(suffix.name, `input "${missing.name}"`, 'is no output of the prefix');
  // Names of the prefix come from hashes: what both parts have under one name is the same.
  const known = new Set([...first.initializer.map(({ name }) => name), ...first.node.flatMap(({ output }) => output)]);
  known.delete('');
  const opsets = new Map(
    [...suffix.proto.opsetImport, ...prefix.proto.opsetImport].map(one => [domainOf(one.domain), one]),
  );
  const functions = new Map([...suffix.proto.functions, ...prefix.proto.functions].map(one => [functionKey(one), one]));
  return {
    name: suffix.name,
    external: new Map(),
    proto: changed(suffix.proto, {
      irVersion: prefix.proto.irVersion,
      opsetImport: [...opsets.values()],
      functions: [...functions.values()],
      graph: changed(second, {
        node: [
          ...first.node.map(node => withReads(node, inputs)),
          ...second.node.filter(({ output }) => !output.some(name => known.has(name))),
        ],
        initializer: [...first.initializer, ...second.initializer.filter(({ name }) => !known.has(name))],
        input: first.input.map(info => changed(info, { name: inputs.get(info.name) ?? info.name })),
        valueInfo: [],
      }),
    }),
  };
}
