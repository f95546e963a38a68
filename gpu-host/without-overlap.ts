import type { Clock, Payload } from '../contracts/index.ts';
import type { Device, LoadedModel, LoadedPrefix, Prepared, RunResult } from './device.ts';
import { Lane } from './lane.ts';
import { ownPayload, payloadBytes } from './payload.ts';

/** A payload as it came, or a blank input, which costs what a payload does. */
type Kept = Prepared & ({ readonly payload: Payload } | { readonly blank: true });

/**
 * The same device, preparing nothing ahead: payloads are decoded when the turn of their batch has come, and the device stands
 * still meanwhile. Time on the device includes it. To measure what preparing on arrival is worth.
 */
export function withoutOverlap(device: Device, clock: Clock): Device {
  const lane = new Lane();
  return {
    ...device,
    load: async (model, options) => preparingLate(await device.load(model, options), lane, clock),
    loadPrefix: async (model, options) => prefixPreparingLate(await device.loadPrefix(model, options), lane, clock),
  };
}

const preparingLate = <M extends LoadedModel>(model: M, lane: Lane, clock: Clock): M => ({
  ...model,
  prepare: async (payload): Promise<Kept> => ({ bytes: payloadBytes(payload), payload: ownPayload(payload).payload }),
  blank: async (): Promise<Kept> => {
    const { bytes } = await model.blank();
    return { bytes, blank: true };
  },
  run: inputs =>
    lane.add(async () => {
      const startedMs = clock.nowMs();
      const late = await prepareNow(model, inputs);
      const prepareMs = clock.nowMs() - startedMs;
      const ran = late.prepared.length === 0 ? NOTHING : await model.run(late.prepared);
      return { ...ran, runMs: prepareMs + ran.runMs, outputs: late.outputsOf(ran) };
    }),
});

function prefixPreparingLate(prefix: LoadedPrefix, lane: Lane, clock: Clock): LoadedPrefix {
  const suffixes = new Map<string, LoadedModel>();
  return {
    ...preparingLate(prefix, lane, clock),
    loadSuffix: async (model, options) => {
      const suffix = await prefix.loadSuffix(model, options);
      suffixes.set(suffix.id, suffix);
      return preparingLate(suffix, lane, clock);
    },
    runMixed: members =>
      lane.add(async () => {
        const startedMs = clock.nowMs();
        const late = await Promise.all(
          members.map(async ({ suffix, inputs }) => ({ suffix, ...(await prepareNow(suffixes.get(suffix)!, inputs)) })),
        );
        const prepareMs = clock.nowMs() - startedMs;
        const able = late.filter(({ prepared }) => prepared.length > 0);
        const ran =
          able.length === 0
            ? { runMs: 0, members: [] }
            : await prefix.runMixed(able.map(({ suffix, prepared }) => ({ suffix, inputs: prepared })));
        const results = late.map(member => {
          const result = ran.members[able.indexOf(member)] ?? NOTHING;
          return result instanceof Error ? result : { ...result, outputs: member.outputsOf(result) };
        });
        return { runMs: prepareMs + ran.runMs, members: results };
      }),
  };
}

const NOTHING: RunResult = { runMs: 0, outputs: [] };

/** An input that can't be prepared fails alone; the others run. */
async function prepareNow(model: LoadedModel, inputs: readonly Prepared[]) {
  const settled = await Promise.allSettled(
    (inputs as readonly Kept[]).map(async input => ('blank' in input ? model.blank() : model.prepare(input.payload))),
  );
  return {
    prepared: settled.flatMap(result => (result.status === 'fulfilled' ? [result.value] : [])),
    /** For all the inputs, from the result of those that ran. */
    outputsOf: ({ outputs }: RunResult): RunResult['outputs'] => {
      let next = 0;
      return settled.map(result => (result.status === 'fulfilled' ? outputs[next++]! : asError(result.reason)));
    },
  };
}

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));
