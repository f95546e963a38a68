import { ModelError, prefixId, sleep, suffixId } from '../../contracts/index.ts';
import type { LoadedPrefix, LoadedSuffix, Member, MixedResult, ModelFiles, RunResult } from '../device.ts';
import type { Curve } from './curve.ts';
import { emulatedPart, type EmulatedPart, type EmulatedParts } from './part.ts';

export interface PrefixFacts {
  readonly cut: string;
  readonly curve: Curve;
  readonly batchMax: number;
  /** Of the rest of a model with this cut, and of the whole. @throws ModelError when it has no such cut */
  suffixOf(model: ModelFiles): { readonly curve: Curve; readonly wholeBytes: number };
}

/** A prefix that takes its curve's time, and the suffixes behind it, which take theirs one after the other. */
export function emulatedPrefix(model: ModelFiles, facts: PrefixFacts, parts: EmulatedParts): LoadedPrefix {
  const { cut, curve, batchMax } = facts;
  const prefix = emulatedPart({ ...model, id: prefixId(cut) }, { curve, batchMax }, parts);
  const suffixes = new Map<string, EmulatedPart>();

  const runMixed = async (members: readonly Member[]): Promise<MixedResult> => {
    const behind = members.map(({ suffix, inputs }) => {
      const part = suffixes.get(suffix);
      if (!part) throw new ModelError(suffix, `is not loaded behind ${prefix.id}`);
      part.check(inputs);
      return { part, inputs };
    });
    const size = members.reduce((sum, { inputs }) => sum + inputs.length, 0);
    prefix.checkBatch(size);
    return parts.lane.add(async (): Promise<MixedResult> => {
      const prefixMs = await prefix.spend(size);
      const ran: RunResult[] = [];
      for (const { part, inputs } of behind)
        ran.push({ runMs: await part.spend(inputs.length), prefixMs, outputs: part.answers(inputs) });
      return { runMs: ran.reduce((sum, { runMs }) => sum + runMs, prefixMs), members: ran };
    });
  };

  return {
    ...prefix,
    run: async inputs => {
      prefix.check(inputs);
      return parts.lane.add(async () => ({ runMs: await prefix.spend(inputs.length), outputs: [] }));
    },
    runMixed,
    loadSuffix: async (model, options): Promise<LoadedSuffix> => {
      parts.checkOpen();
      const { curve, wholeBytes } = facts.suffixOf(model);
      if (curve.loadMs > 0) await sleep(parts.clock, curve.loadMs);
      const id = suffixId(model.id, cut);
      const part = emulatedPart({ ...model, id }, { curve, batchMax: options.batchMax }, parts);
      suffixes.set(id, part);
      return {
        ...part,
        wholeBytes,
        run: async inputs => {
          const [only] = (await runMixed([{ suffix: id, inputs }])).members;
          if (only instanceof Error) throw only;
          return only!;
        },
        release: async () => {
          await part.release();
          if (suffixes.get(id) === part) suffixes.delete(id);
        },
      };
    },
  };
}
