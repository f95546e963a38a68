import {
  DeviceError,
  ModelError,
  seededRandom,
  sleep,
  type Clock,
  type DeviceSettings,
  type Payload,
  type Profile,
  type Random,
} from '../../contracts/index.ts';
import type { Device, LoadedModel, ModelFiles, Prepared, RunResult } from '../device.ts';
import { Lane } from '../lane.ts';
import { checkPayload, payloadBytes } from '../payload.ts';
import { curveOfDocument, curveOfProfile, runTimeMs, type Curve } from './curve.ts';
import { pretend, type Size } from './pretend.ts';

export type EmulatedSettings = Extract<DeviceSettings, { kind: 'emulated' }>;

export interface EmulatedOptions {
  readonly clock: Clock;
  /** Jitter and pretended answers; `settings.seed` takes precedence. */
  readonly random: Random;
  /** Measured profiles to replay, by model id; the others follow `emulation` of their manifests. */
  readonly profiles?: ReadonlyMap<string, Profile>;
}

interface EmulatedInput extends Prepared {
  readonly model: string;
  readonly size: Size;
}

/** A picture of unknown size (a file that nobody decoded) is taken to be so large. */
const SIZE_DEFAULT: Size = { width: 640, height: 360 };

const sizeOf = (payload: Payload): Size =>
  payload.encoding !== 'tensors' && payload.width && payload.height
    ? { width: payload.width, height: payload.height }
    : SIZE_DEFAULT;

/**
 * A device that takes a curve's time on the clock and computes nothing. Runs queue up and memory is accounted for as on a
 * real one. Everything is deterministic under a virtual clock and a seed: no thread, no I/O, no decoding.
 */
export function openEmulatedDevice(settings: EmulatedSettings, options: EmulatedOptions): Device {
  const { clock } = options;
  const random = settings.seed === undefined ? options.random : seededRandom(settings.seed);
  const lane = new Lane();
  let closed = false;

  const checkOpen = (): void => {
    if (closed) throw new DeviceError('the device is closed');
  };

  return {
    report: {
      kind: settings.name ?? 'emulated',
      provider: 'emulated',
      asked: ['emulated'],
      tried: [{ provider: 'emulated' }],
      emulated: true,
      memoryBytes: Math.round((settings.memoryMB ?? 8192) * 1e6),
      threads: 0,
    },
    lost: new Promise<Error>(() => {}),
    load: async (model, { batchMax }) => {
      checkOpen();
      const given = options.profiles?.get(model.id);
      const curve = given ? curveOfProfile(given) : curveOfDocument(model.id, model.document);
      if (curve.loadMs > 0) await sleep(clock, curve.loadMs);
      checkOpen();
      return emulatedModel(model, { batchMax, curve, clock, random, lane, checkOpen });
    },
    close: async () => {
      closed = true;
      await lane.idle();
    },
  };
}

interface ModelParts {
  readonly batchMax: number;
  readonly curve: Curve;
  readonly clock: Clock;
  readonly random: Random;
  readonly lane: Lane;
  readonly checkOpen: () => void;
}

function emulatedModel({ id, document }: ModelFiles, parts: ModelParts): LoadedModel {
  const { batchMax, curve, clock, random, lane } = parts;
  let released = false;
  const checkUsable = (): void => {
    parts.checkOpen();
    if (released) throw new ModelError(id, 'was released');
  };
  const makeInput = (size: Size, bytes: number): EmulatedInput => ({ model: id, size, bytes });

  return {
    id,
    persistentBytes: curve.persistentBytes,
    ephemeralBytes: batch => curve.ephemeralBytes(batch),
    prepare: async payload => {
      checkUsable();
      checkPayload(document, payload);
      return makeInput(sizeOf(payload), payloadBytes(payload));
    },
    blank: async () => {
      checkUsable();
      return makeInput(SIZE_DEFAULT, 0);
    },
    run: async inputs => {
      checkUsable();
      if (inputs.length < 1 || inputs.length > batchMax)
        throw new ModelError(id, `a batch of ${inputs.length} is outside 1..${batchMax}`);
      for (const input of inputs as readonly EmulatedInput[])
        if (input.model !== id) throw new ModelError(id, `an input was prepared for ${input.model}`);
      return lane.add(async (): Promise<RunResult> => {
        const runMs = runTimeMs(curve, inputs.length, random);
        await sleep(clock, runMs);
        return {
          runMs,
          outputs: (inputs as readonly EmulatedInput[]).map(({ size }) => pretend(document, size, random)),
        };
      });
    },
    release: async () => {
      if (released) return;
      released = true;
      await lane.idle();
    },
  };
}
