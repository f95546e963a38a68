import type { Device, LoadedModel, Prepared } from '../../gpu-host/index.ts';
import { decode, openDevice, openEmulatedDevice } from '../../gpu-host/index.ts';
import { realClock, systemRandom } from '../../bus/index.ts';
import { silentLog, type Clock, type DeviceSettings } from '../../contracts/index.ts';

/**
 * - `usual`    what the settings say
 * - `instant`  emulated, and its runs take one turn of the event loop: what remains is the path. (A timer of Node takes 1 ms.)
 * - `decoding` emulated runs, real preprocessing: each payload is decoded on sharp's threads before it counts as prepared
 */
export type DeviceKind = 'usual' | 'instant' | 'decoding';

const timeless: Clock = { ...realClock, after: (_delayMs, fn) => realClock.after(0, fn) };

export function openBenchDevice(kind: DeviceKind, settings: DeviceSettings): Promise<Device> {
  const options = { clock: realClock, random: systemRandom, log: silentLog };
  if (kind === 'usual' || settings.kind !== 'emulated') return openDevice(settings, options);
  const device = openEmulatedDevice(settings, { ...options, clock: kind === 'instant' ? timeless : realClock });
  return Promise.resolve(kind === 'instant' ? device : decodingDevice(device));
}

function decodingDevice(device: Device): Device {
  return { ...device, load: async (model, options) => decodingModel(await device.load(model, options)) };
}

function decodingModel(model: LoadedModel): LoadedModel {
  return {
    ...model,
    prepare: async (payload): Promise<Prepared> => {
      const own = payload.encoding === 'tensors' ? payload : { ...payload, data: Uint8Array.from(payload.data) };
      if (own.encoding !== 'tensors') await decode(own);
      return model.prepare(own);
    },
  };
}
