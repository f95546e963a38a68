export type { Device, LoadedModel, ModelFiles, Prepared, RunResult } from './device.ts';
export { openEmulatedDevice, type EmulatedOptions, type EmulatedSettings } from './emulated/device.ts';
