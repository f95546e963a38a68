import { ModelError, type ModelDocument } from '../../contracts/index.ts';
import { channelsOf } from '../pre/normalise.ts';
import { isTensorType, type TensorType } from '../tensors.ts';

/** An input or output of a graph. A string among the dims is a dimension that may vary. */
export interface GraphTensor {
  readonly name: string;
  readonly type: TensorType;
  /** With the batch in front; empty where the graph doesn't say. */
  readonly dims: readonly (number | string)[];
}

/** What a session says of itself, before anything was checked. */
export interface GraphFacts {
  readonly inputs: readonly RawTensor[];
  readonly outputs: readonly RawTensor[];
}
interface RawTensor {
  readonly name: string;
  readonly type: string;
  readonly dims: readonly (number | string)[];
}

/** The tensors that a manifest uses: all inputs, and the outputs that its postprocessing reads. */
export interface Graph {
  readonly inputs: readonly GraphTensor[];
  readonly outputs: readonly GraphTensor[];
}

const listed = (tensors: readonly RawTensor[]): string =>
  tensors.map(({ name, type, dims }) => `${name} (${type} [${dims.join(',')}])`).join(', ') || 'none';

/**
 * Holds a manifest against the graph that it names. `outputs: false` for a prefix, whose outputs no manifest speaks of.
 * @throws ModelError a sentence that names what the graph has
 */
export function matchGraph(
  id: string,
  document: ModelDocument,
  facts: GraphFacts,
  batchMax: number,
  { outputs: reads = true }: { readonly outputs?: boolean } = {},
): Graph {
  const inputs = facts.inputs.map(raw => typed(id, 'input', raw));
  const names = reads ? outputNames(id, document, facts) : [];
  const outputs = names.map(name => typed(id, 'output', facts.outputs.find(raw => raw.name === name)!));
  checkInput(id, document, facts);
  for (const { name, dims } of inputs) {
    const batch = dims[0];
    if (typeof batch !== 'number') continue;
    if (batch !== 1)
      throw new ModelError(
        id,
        `input "${name}" has a fixed batch of ${batch}; export it with a batch of 1 or a symbolic one`,
      );
    if (batchMax > 1)
      throw new ModelError(
        id,
        `input "${name}" has a fixed batch of 1, but the batch may grow to ${batchMax}; set batchMax: 1 or export it with a symbolic batch`,
      );
  }
  return { inputs, outputs };
}

function typed(id: string, what: string, { name, type, dims }: RawTensor): GraphTensor {
  if (!isTensorType(type))
    throw new ModelError(id, `${what} "${name}" is ${type}; float32, uint8, int32, int64 and bool are understood`);
  return { name, type, dims };
}

/** Names of the outputs that postprocessing reads, the first one first. */
function outputNames(id: string, { postprocess }: ModelDocument, { outputs }: GraphFacts): string[] {
  const named = (field: string, name: string | undefined): string => {
    if (name === undefined) {
      const only = outputs.length === 1 ? outputs[0] : undefined;
      if (only) return only.name;
      throw new ModelError(id, `say with postprocess.${field} which output to read; it has ${listed(outputs)}`);
    }
    if (outputs.some(output => output.name === name)) return name;
    throw new ModelError(id, `there is no output "${name}" (postprocess.${field}); it has ${listed(outputs)}`);
  };
  switch (postprocess.kind) {
    case 'tensors':
    case 'module':
      return outputs.map(output => output.name);
    case 'boxes': {
      const { boxes, scores } = postprocess;
      return [named('boxes', boxes), ...(scores === undefined ? [] : [named('scores', scores)])];
    }
    default:
      return [named('output', postprocess.output)];
  }
}

/** The picture that the manifest makes fits the graph's input. */
function checkInput(id: string, document: ModelDocument, { inputs }: GraphFacts): void {
  const { preprocess, input: name } = document;
  if (name !== undefined && !inputs.some(input => input.name === name))
    throw new ModelError(id, `there is no input "${name}"; it has ${listed(inputs)}`);
  if (preprocess.kind !== 'picture') return;
  const input = inputs.find(input => input.name === name) ?? inputs[0];
  if (!input || inputs.length !== 1)
    throw new ModelError(id, `a picture feeds exactly one input, the graph has ${listed(inputs)}; use a module`);
  const type = preprocess.type ?? 'float32';
  if (input.type !== type)
    throw new ModelError(id, `input "${input.name}" is ${input.type}, the manifest makes ${type}`);
  if (input.dims.length === 0) return;
  const { width, height, layout = 'nchw' } = preprocess;
  const channels = channelsOf(preprocess);
  const made = layout === 'nchw' ? ['N', channels, height, width] : ['N', height, width, channels];
  const fits =
    input.dims.length === 4 && input.dims.every((dim, i) => i === 0 || typeof dim !== 'number' || dim === made[i]);
  if (!fits)
    throw new ModelError(
      id,
      `input "${input.name}" has dims [${input.dims.join(',')}], the manifest makes [${made.join(',')}] (${layout})`,
    );
}
