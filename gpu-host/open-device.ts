import type { Clock, DeviceSettings, Log, Random } from '../contracts/index.ts';
import type { Device } from './device.ts';
import { openEmulatedDevice } from './emulated/device.ts';
import { openOnnxDevice } from './onnx/device.ts';

/**
 * Opens the device that the settings describe.
 * @throws DeviceError when none of the execution providers asked for can be opened
 */
export async function openDevice(
  settings: DeviceSettings,
  options: { readonly clock: Clock; readonly random: Random; readonly log: Log },
): Promise<Device> {
  return settings.kind === 'emulated' ? openEmulatedDevice(settings, options) : openOnnxDevice(settings, options);
}
