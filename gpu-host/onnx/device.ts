import { availableParallelism } from 'node:os';
import {
  describeError,
  DeviceError,
  type Clock,
  type DeviceReport,
  type DeviceSettings,
  type Log,
} from '../../contracts/index.ts';
import type { Device, LoadedModel } from '../device.ts';
import { kindOf } from './kind.ts';
import { loadOnnxModel } from './model.ts';
import { loadOnnxPrefix } from './prefix.ts';
import type { PixelsFunctions } from './pixels-worker.ts';
import type { ProviderSettings } from './provider.ts';
import type { SessionFunctions } from './session-worker.ts';
import { openSurgery, type Surgery } from './surgery.ts';
import { startThread, type Thread } from './thread.ts';

export type OnnxSettings = Extract<DeviceSettings, { kind: 'onnx' }>;

export interface OnnxOptions {
  readonly clock: Clock;
  readonly log: Log;
}

/** Without an answer for so long, a run hangs. TensorRT builds its engine inside the first run of each size. */
const HANG_MS = 120_000;
const HANG_BUILDING_MS = 1_800_000;
const MEMORY_MB_DEFAULT = 4096;
/** One pixel thread for so many cores: decoding itself runs on sharp's threads. */
const CORES_PER_PIXEL_THREAD = 4;
const PIXEL_THREADS_MAX = 4;
const ERROR_LENGTH_MAX = 1024;

/**
 * Opens a device: a thread that owns the sessions and one or more for pixels. The providers asked for are tried in their
 * order; the report says which one it became and why not the ones before.
 * @throws DeviceError when none can be opened; it names each with its error
 */
export async function openOnnxDevice(settings: OnnxSettings, { clock, log }: OnnxOptions): Promise<Device> {
  const asked = settings.providers ?? ['cpu'];
  const hangMs = asked.includes('tensorrt') ? HANG_BUILDING_MS : HANG_MS;
  const sessions = startThread<SessionFunctions>(new URL('./session-worker.js', import.meta.url), {
    name: 'device',
    clock,
    hangMs,
  });
  const tried: DeviceReport['tried'] = [];
  const opened = await firstThatOpens(sessions, settings, asked, tried);
  if (!opened) {
    await sessions.exit();
    const errors = tried.map(({ provider, error }) => `${provider}: ${error}`).join('; ');
    throw new DeviceError(`none of the providers asked for can be opened: ${errors}`);
  }
  for (const { provider, error } of tried)
    if (error) log.warn('execution provider is not available', { provider, error, instead: opened.provider });

  const pixelThreads = Math.floor(availableParallelism() / CORES_PER_PIXEL_THREAD);
  const pixels = Array.from({ length: Math.min(PIXEL_THREADS_MAX, Math.max(1, pixelThreads)) }, (_, index) =>
    startThread<PixelsFunctions>(new URL('./pixels-worker.js', import.meta.url), {
      name: `pixels-${index}`,
      clock,
      hangMs: HANG_MS,
    }),
  );
  const report: DeviceReport = {
    kind: settings.name ?? kindOf(opened),
    provider: opened.provider,
    asked: [...asked],
    tried,
    emulated: false,
    memoryBytes: Math.round((settings.memoryMB ?? MEMORY_MB_DEFAULT) * 1e6),
    threads: opened.provider === 'cpu' ? opened.threads : 0,
  };
  return onnxDevice(report, { surgery: openSurgery(clock), settings: opened, sessions, pixels });
}

/** The npm package of onnxruntime comes without CUDA; its own script fetches it. */
const remedyOf = (provider: string): string =>
  provider === 'cuda' || provider === 'tensorrt'
    ? '; the CUDA libraries come with: node node_modules/onnxruntime-node/script/install --onnxruntime-node-install=cuda12'
    : '';

async function firstThatOpens(
  sessions: Thread<SessionFunctions>,
  { threads = 1, deviceId = 0 }: OnnxSettings,
  asked: readonly string[],
  tried: DeviceReport['tried'],
): Promise<ProviderSettings | undefined> {
  for (const provider of asked) {
    try {
      await sessions.call('probe', { provider, deviceId, threads });
      tried.push({ provider });
      return { provider, deviceId, threads };
    } catch (error) {
      tried.push({ provider, error: `${describeError(error)}${remedyOf(provider)}`.slice(0, ERROR_LENGTH_MAX) });
    }
  }
  return undefined;
}

interface DeviceParts {
  readonly surgery: Surgery;
  readonly settings: ProviderSettings;
  readonly sessions: Thread<SessionFunctions>;
  readonly pixels: readonly Thread<PixelsFunctions>[];
}

function onnxDevice(report: DeviceReport, parts: DeviceParts): Device {
  const { sessions, pixels, surgery } = parts;
  const loaded = new Set<LoadedModel>();
  let closed: Promise<void> | undefined;
  /** What is loaded, until it is released: closing releases the rest. */
  const kept = <M extends LoadedModel>(made: M, change: (made: M) => Partial<M> = () => ({})): M => {
    const release = async (): Promise<void> => {
      loaded.delete(made);
      await made.release();
    };
    loaded.add(made);
    return { ...made, ...change(made), release };
  };
  const close = async (): Promise<void> => {
    await Promise.all([...loaded].map(model => model.release()));
    await Promise.all([surgery.close(), ...[sessions, ...pixels].map(thread => thread.exit())]);
  };
  return {
    report,
    lost: Promise.race([sessions, ...pixels].map(thread => thread.lost)),
    load: async (model, { batchMax }) => {
      if (closed) throw new DeviceError('the device is closed');
      return kept(await loadOnnxModel(model, { ...parts, batchMax }));
    },
    loadPrefix: async (model, options) => {
      if (closed) throw new DeviceError('the device is closed');
      return kept(await loadOnnxPrefix(model, { ...parts, ...options }), made => ({
        loadSuffix: async (member, options) => kept(await made.loadSuffix(member, options)),
      }));
    },
    close: () => (closed ??= close()),
  };
}
