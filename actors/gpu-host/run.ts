import {
  cutOf,
  DeviceError,
  describeError,
  InputError,
  ModelError,
  type Answer,
  type Output,
} from '../../contracts/index.ts';
import {
  WrongOutputError,
  type Eventual,
  type LoadedPrefix,
  type Member,
  type Prepared,
  type RunResult,
} from '../../gpu-host/index.ts';
import type { Batch } from './batch.ts';
import type { Usable } from './residents.ts';

/** Inputs that run together. */
export interface Part {
  /** Where they stand among all that run. */
  readonly places: readonly number[];
  /** Outputs in the order of the places. */
  run(): Eventual<RunResult>;
}

/** An input that runs. */
interface Input {
  readonly place: number;
  readonly model: string;
  readonly prepared: Prepared;
}

/**
 * What the device runs for a batch: each model by itself, suffixes of one prefix together, no more at once than memory was
 * planned for. `items`: by their indices in it.
 */
export function partsOf(batch: Batch, items: readonly number[], usable: (model: string) => Usable | undefined): Part[] {
  const alone = batch.models.length === 1 ? usable(batch.models[0]!) : undefined;
  // As most batches are: one whole model, no more than it takes at once.
  if (alone && !alone.prefix && items.length <= alone.batchMax)
    return [{ places: items.map((_, i) => i), run: () => alone.loaded.run(items.map(item => batch.prepared[item]!)) }];
  const inputs = items.map((item, place): Input => {
    return { place, model: batch.modelOf(item), prepared: batch.prepared[item]! };
  });
  const modelsOf = new Map([...new Set(inputs.map(({ model }) => model))].map(model => [model, usable(model)]));
  for (const [model, found] of modelsOf) if (!found) throw new Error(`${model} went while a batch for it was queued`);
  return [...groupedBy(inputs, ({ model }) => cutOf(model) ?? model).values()].flatMap(unit => {
    const { loaded, prefix } = modelsOf.get(unit[0]!.model)!;
    const chunks = chunksOf(unit, model => modelsOf.get(model)!.batchMax, prefix?.batchMax ?? Infinity);
    return chunks.map((its): Part => {
      const places = its.map(({ place }) => place);
      if (prefix) return { places, run: () => runMixed(prefix.loaded, its) };
      return { places, run: () => loaded.run(its.map(({ prepared }) => prepared)) };
    });
  });
}

function groupedBy(inputs: readonly Input[], keyOf: (input: Input) => string): Map<string, Input[]> {
  const groups = new Map<string, Input[]>();
  for (const input of inputs) {
    const group = groups.get(keyOf(input));
    if (group) group.push(input);
    else groups.set(keyOf(input), [input]);
  }
  return groups;
}

/** As many together, in their order, as each model and all of them may be. */
function chunksOf(inputs: readonly Input[], maxOf: (model: string) => number, max: number): Input[][] {
  const chunks: Input[][] = [];
  let counts = new Map<string, number>();
  for (const input of inputs) {
    const count = counts.get(input.model) ?? 0;
    if (chunks.length === 0 || chunks.at(-1)!.length >= max || count >= maxOf(input.model)) {
      chunks.push([]);
      counts = new Map();
    }
    chunks.at(-1)!.push(input);
    counts.set(input.model, (counts.get(input.model) ?? 0) + 1);
  }
  return chunks;
}

/** The prefix once, each suffix on its slice; a suffix that fails fails its own inputs. */
async function runMixed(prefix: LoadedPrefix, inputs: readonly Input[]): Promise<RunResult> {
  const groups = groupedBy(inputs, ({ model }) => model);
  const members = [...groups].map(([suffix, its]): Member => ({ suffix, inputs: its.map(({ prepared }) => prepared) }));
  const { runMs, members: ran } = await prefix.runMixed(members);
  const outputs = new Map<Input, Output | Error>();
  for (const [m, its] of [...groups.values()].entries()) {
    const result = ran[m]!;
    its.forEach((input, i) => outputs.set(input, result instanceof Error ? result : result.outputs[i]!));
  }
  return { runMs, outputs: inputs.map(input => outputs.get(input)!) };
}

/** How a part ended. */
export type Ended = RunResult | { readonly error: unknown };

export interface RunOutcome {
  /** Time on the device, of all parts. */
  readonly runMs: number;
  /** By place. */
  readonly answers: readonly Answer[];
  /** The device is gone. */
  readonly lost: DeviceError | undefined;
}

/** Runs all parts; tells how each ended when all have. */
export function runAll(parts: readonly Part[], ended: (ends: readonly Ended[]) => void): void {
  const ends: Ended[] = [];
  let running = parts.length;
  for (const [p, part] of parts.entries()) {
    const end = (how: Ended): void => {
      ends[p] = how;
      if (--running === 0) ended(ends);
    };
    part.run().then(end, error => end({ error }));
  }
}

/** An answer for each input, from how each part ended. */
export function outcomeOf(parts: readonly Part[], ends: readonly Ended[]): RunOutcome {
  const answers: Answer[] = [];
  let runMs = 0;
  let lost: DeviceError | undefined;
  for (const [p, { places }] of parts.entries()) {
    const end = ends[p]!;
    if ('error' in end) {
      if (end.error instanceof DeviceError) lost ??= end.error;
      const failure = failureOf(end.error, 'model');
      for (const place of places) answers[place] = failure;
    } else {
      runMs += end.runMs;
      for (let i = 0; i < places.length; i++) answers[places[i]!] = answerOf(end.outputs[i]);
    }
  }
  return { runMs, answers, lost };
}

function answerOf(output: RunResult['outputs'][number] | undefined): Answer {
  if (output === undefined) return failureOf(new Error('the model gave no output for this input'), 'model');
  return output instanceof Error ? failureOf(output, 'internal') : { is: 'output', output };
}

/** What is told of an invocation that failed; `otherwise` names errors that don't say whose fault they are. */
export function failureOf(error: unknown, otherwise: 'model' | 'internal'): Answer {
  if (error instanceof DeviceError) return { is: 'refused', reason: 'device-lost' };
  const detail = describeError(error).slice(0, 1024);
  if (error instanceof WrongOutputError) return { is: 'refused', reason: 'wrong-output', detail };
  const reason = error instanceof InputError ? 'input' : error instanceof ModelError ? 'model' : otherwise;
  return { is: 'failed', reason, detail };
}
