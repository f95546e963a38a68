import {
  cutOf,
  DeviceError,
  describeError,
  InputError,
  ModelError,
  type Answer,
  type Output,
} from '../../contracts/index.ts';
import { WrongOutputError, type LoadedPrefix, type Member, type RunResult } from '../../gpu-host/index.ts';
import type { Item } from './batch.ts';
import type { Usable } from './residents.ts';

/** Inputs that run together. */
export interface Part {
  readonly items: readonly Item[];
  /** Outputs in the order of the items. */
  run(): Promise<RunResult>;
}

/**
 * What the device runs for a batch: each model by itself, suffixes of one prefix together, no more at once than memory was
 * planned for.
 */
export function partsOf(items: readonly Item[], usable: (model: string) => Usable | undefined): Part[] {
  const only = items[0]!.model;
  const alone = items.every(({ model }) => model === only) ? usable(only) : undefined;
  // As most batches are: one whole model, no more than it takes at once.
  if (alone && !alone.prefix && items.length <= alone.batchMax)
    return [{ items, run: () => alone.loaded.run(items.map(item => item.prepared!)) }];
  const modelsOf = new Map([...new Set(items.map(item => item.model))].map(model => [model, usable(model)]));
  for (const [model, found] of modelsOf) if (!found) throw new Error(`${model} went while a batch for it was queued`);
  return [...groupedBy(items, item => cutOf(item.model) ?? item.model).values()].flatMap(unit => {
    const { loaded, prefix } = modelsOf.get(unit[0]!.model)!;
    const chunks = chunksOf(unit, model => modelsOf.get(model)!.batchMax, prefix?.batchMax ?? Infinity);
    return chunks.map((items): Part => {
      if (prefix) return { items, run: () => runMixed(prefix.loaded, items) };
      return { items, run: () => loaded.run(items.map(item => item.prepared!)) };
    });
  });
}

function groupedBy(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

/** As many together, in their order, as each model and all of them may be. */
function chunksOf(items: readonly Item[], maxOf: (model: string) => number, max: number): Item[][] {
  const chunks: Item[][] = [];
  let counts = new Map<string, number>();
  for (const item of items) {
    const count = counts.get(item.model) ?? 0;
    if (chunks.length === 0 || chunks.at(-1)!.length >= max || count >= maxOf(item.model)) {
      chunks.push([]);
      counts = new Map();
    }
    chunks.at(-1)!.push(item);
    counts.set(item.model, (counts.get(item.model) ?? 0) + 1);
  }
  return chunks;
}

/** The prefix once, each suffix on its slice; a suffix that fails fails its own items. */
async function runMixed(prefix: LoadedPrefix, items: readonly Item[]): Promise<RunResult> {
  const members = groupedBy(items, item => item.model);
  const inputs = [...members].map(([suffix, its]): Member => ({ suffix, inputs: its.map(item => item.prepared!) }));
  const { runMs, members: ran } = await prefix.runMixed(inputs);
  const outputs = new Map<Item, Output | Error>();
  for (const [m, its] of [...members.values()].entries()) {
    const result = ran[m]!;
    its.forEach((item, i) => outputs.set(item, result instanceof Error ? result : result.outputs[i]!));
  }
  return { runMs, outputs: items.map(item => outputs.get(item)!) };
}

export interface RunOutcome {
  /** Time on the device, of all parts. */
  readonly runMs: number;
  readonly answers: ReadonlyMap<Item, Answer>;
  /** The device is gone. */
  readonly lost: DeviceError | undefined;
}

/** An answer for each input, from how each part ended. */
export function outcomeOf(parts: readonly Part[], settled: readonly PromiseSettledResult<RunResult>[]): RunOutcome {
  const answers = new Map<Item, Answer>();
  let runMs = 0;
  let lost: DeviceError | undefined;
  for (const [p, { items }] of parts.entries()) {
    const result = settled[p]!;
    if (result.status === 'fulfilled') runMs += result.value.runMs;
    else if (result.reason instanceof DeviceError) lost ??= result.reason;
    for (const [i, item] of items.entries()) {
      answers.set(
        item,
        result.status === 'fulfilled' ? answerOf(result.value.outputs[i]) : failureOf(result.reason, 'model'),
      );
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
