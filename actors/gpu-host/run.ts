import { DeviceError, describeError, InputError, ModelError, type Answer } from '../../contracts/index.ts';
import type { LoadedModel, RunResult } from '../../gpu-host/index.ts';
import type { Item } from './batch.ts';

/** Inputs of one model that run together. */
export interface Part {
  readonly loaded: LoadedModel;
  readonly items: readonly Item[];
}

/** What the device runs for a batch: each model by itself, no more at once than memory was planned for. */
export function partsOf(
  items: readonly Item[],
  usable: (model: string) => { loaded: LoadedModel; batchMax: number } | undefined,
): Part[] {
  return [...new Set(items.map(item => item.model))].flatMap(model => {
    const found = usable(model);
    if (!found) throw new Error(`${model} went while a batch for it was queued`);
    const ofModel = items.filter(item => item.model === model);
    const parts: Part[] = [];
    for (let i = 0; i < ofModel.length; i += found.batchMax) {
      parts.push({ loaded: found.loaded, items: ofModel.slice(i, i + found.batchMax) });
    }
    return parts;
  });
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
  const reason = error instanceof InputError ? 'input' : error instanceof ModelError ? 'model' : otherwise;
  return { is: 'failed', reason, detail: describeError(error).slice(0, 1024) };
}
