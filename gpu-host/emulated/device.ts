import {
  DeviceError,
  ModelError,
  prefixId,
  seededRandom,
  sleep,
  suffixId,
  type Clock,
  type DeviceSettings,
  type Profile,
  type Random,
} from '../../contracts/index.ts';
import type { Device, LoadedModel, ModelFiles, RunResult } from '../device.ts';
import { Lane } from '../lane.ts';
import { Later } from '../later.ts';
import { Cores } from './cores.ts';
import { curveOfDocument, curveOfProfile, curvesOfParts, declaredCut, type Curve } from './curve.ts';
import { emulatedPart, type EmulatedParts } from './part.ts';
import { emulatedPrefix } from './prefix.ts';

export type EmulatedSettings = Extract<DeviceSettings, { kind: 'emulated' }>;

export interface EmulatedOptions {
  readonly clock: Clock;
  /** Jitter and pretended answers; `settings.seed` takes precedence. */
  readonly random: Random;
  /** Measured profiles to replay, by id of the model or part; the others follow `emulation` of their manifests. */
  readonly profiles?: ReadonlyMap<string, Profile>;
  /** Times its curve that a run takes: a device that isn't as fast as it was measured to be. Default: 1 */
  readonly slowness?: () => number;
}

/** As many as Nexus has threads for preparing (num_workers). */
const CORES = 4;

/**
 * A device that takes a curve's time on the clock and computes nothing. Runs queue up and memory is accounted for as on a
 * real one. Everything is deterministic under a virtual clock and a seed: no thread, no I/O, no decoding.
 */
export function openEmulatedDevice(settings: EmulatedSettings, options: EmulatedOptions): Device {
  const { clock, slowness = () => 1 } = options;
  const random = settings.seed === undefined ? options.random : seededRandom(settings.seed);
  const lane = new Lane();
  const cores = new Cores(clock, settings.cores ?? CORES);
  let closed = false;

  const checkOpen = (): void => {
    if (closed) throw new DeviceError('the device is closed');
  };
  const parts: EmulatedParts = { clock, random, lane, cores, slowness, checkOpen };
  const given = (part: string): Curve | undefined => {
    const profile = options.profiles?.get(part);
    return profile && curveOfProfile(profile);
  };
  const wholeOf = ({ id, document }: ModelFiles): Curve => given(id) ?? curveOfDocument(id, document);
  const partsAt = (cut: string, { id, document }: ModelFiles): { prefix: Curve; suffix: Curve } => {
    const declared = declaredCut(document)?.cut === cut ? curvesOfParts(id, document) : undefined;
    const prefix = given(prefixId(cut)) ?? declared?.prefix;
    const suffix = given(suffixId(id, cut)) ?? declared?.suffix;
    if (prefix && suffix) return { prefix, suffix };
    throw new ModelError(
      id,
      `an emulated device knows no cut ${cut} of it: \`emulation.prefix\` of the manifest declares one`,
    );
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
      const curve = wholeOf(model);
      if (curve.loadMs > 0) await sleep(clock, curve.loadMs);
      checkOpen();
      return emulatedModel(model, { curve, batchMax }, parts);
    },
    loadPrefix: async (model, { cut, batchMax }) => {
      checkOpen();
      const { prefix: curve } = partsAt(cut, model);
      if (curve.loadMs > 0) await sleep(clock, curve.loadMs);
      checkOpen();
      const suffixOf = (member: ModelFiles) => {
        return { curve: partsAt(cut, member).suffix, wholeBytes: wholeOf(member).persistentBytes };
      };
      return emulatedPrefix(model, { cut, curve, batchMax, suffixOf }, parts);
    },
    close: async () => {
      closed = true;
      await lane.idle();
    },
  };
}

function emulatedModel(
  model: ModelFiles,
  facts: { curve: Curve; batchMax: number },
  parts: EmulatedParts,
): LoadedModel {
  const part = emulatedPart(model, facts, parts);
  return {
    ...part,
    run: inputs => {
      try {
        part.check(inputs);
      } catch (error) {
        return Promise.reject(error);
      }
      const result = new Later<RunResult>();
      parts.lane.enter(leave => {
        const runMs = part.runMs(inputs.length);
        parts.clock.after(runMs, () => {
          const outputs = part.answers(inputs);
          leave();
          result.comes({ runMs, outputs });
        });
      });
      return result;
    },
  };
}
