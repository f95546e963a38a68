import { InvalidArgumentError } from 'commander';
import { DeviceSettings } from '../../contracts/index.ts';
import { fieldName, misfits } from '../documents/index.ts';

/** `cpu`, `cuda`, …: an onnx device with that provider; `emulated`; or the settings as JSON. */
export function deviceSettings(text: string): DeviceSettings {
  if (!text.trimStart().startsWith('{')) {
    return text === 'emulated' ? { kind: 'emulated' } : { kind: 'onnx', providers: text.split(',') };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError('It is not JSON.');
  }
  const found = misfits(DeviceSettings, value, 'device');
  if (found.length === 0) return value as DeviceSettings;
  throw new InvalidArgumentError(
    found.map(({ path, detail, remedy }) => [fieldName(path), detail, remedy].filter(Boolean).join(' ')).join('; '),
  );
}
