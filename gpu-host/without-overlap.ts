import type { Clock, Payload } from '../contracts/index.ts';
import type { Device, LoadedModel, Prepared, RunResult } from './device.ts';
import { Lane } from './lane.ts';
import { ownPayload, payloadBytes } from './payload.ts';

/** A payload as it came, or an input that is ready (a blank one). */
type Kept = Prepared & ({ readonly payload: Payload } | { readonly ready: Prepared });

/**
 * The same device, preparing nothing ahead: payloads are decoded when the turn of their batch has come, and the device stands
 * still meanwhile. Time on the device includes it. To measure what preparing on arrival is worth.
 */
export function withoutOverlap(device: Device, clock: Clock): Device {
  const lane = new Lane();
  return { ...device, load: async (model, options) => preparingLate(await device.load(model, options), lane, clock) };
}

const preparingLate = (model: LoadedModel, lane: Lane, clock: Clock): LoadedModel => ({
  ...model,
  prepare: async (payload): Promise<Kept> => ({ bytes: payloadBytes(payload), payload: ownPayload(payload).payload }),
  blank: async (): Promise<Kept> => {
    const ready = await model.blank();
    return { bytes: ready.bytes, ready };
  },
  run: inputs => lane.add(() => prepareAndRun(model, inputs as readonly Kept[], clock)),
});

/** An input that can't be prepared fails alone; the others run. */
async function prepareAndRun(model: LoadedModel, inputs: readonly Kept[], clock: Clock): Promise<RunResult> {
  const startedMs = clock.nowMs();
  const settled = await Promise.allSettled(
    inputs.map(async input => ('ready' in input ? input.ready : model.prepare(input.payload))),
  );
  const prepareMs = clock.nowMs() - startedMs;
  const prepared = settled.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
  const ran = prepared.length === 0 ? { runMs: 0, outputs: [] } : await model.run(prepared);
  let next = 0;
  const outputs = settled.map(result =>
    result.status === 'fulfilled' ? ran.outputs[next++]! : asError(result.reason),
  );
  return { runMs: prepareMs + ran.runMs, outputs };
}

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));
