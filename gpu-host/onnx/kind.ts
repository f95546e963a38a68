import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { ProviderSettings } from './provider.ts';

const KIND_LENGTH_MAX = 64;

/** Words of a name as a subject token: `Intel(R) Xeon(R) Processor @ 2.8GHz` → `intel-xeon-2-8ghz`. */
function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/\((r|tm|c)\)|\b(processor|cpu|with|graphics|corporation)\b/g, ' ')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}

/** Name of an NVIDIA GPU as its driver tells it, in the order of the bus; undefined without that driver. */
function nvidiaName(deviceId: number): string | undefined {
  const folder = '/proc/driver/nvidia/gpus';
  if (!existsSync(folder)) return undefined;
  const gpu = readdirSync(folder).sort()[deviceId];
  if (!gpu) return undefined;
  return /^Model:\s*(.+)$/m.exec(readFileSync(`${folder}/${gpu}/information`, 'utf8'))?.[1];
}

/**
 * Devices of one kind share profiles, so the kind names the provider and the hardware: `cpu-1t-intel-xeon`,
 * `cuda-nvidia-h100-80gb-hbm3`. Where the hardware hides its name, name the kind in the settings.
 */
export function kindOf({ provider, deviceId, threads }: ProviderSettings): string {
  const hardware = provider === 'cpu' ? (cpus()[0]?.model ?? process.arch) : (nvidiaName(deviceId) ?? '');
  const lead = provider === 'cpu' ? `cpu-${threads}t` : provider;
  return [lead, slug(hardware)].filter(Boolean).join('-').slice(0, KIND_LENGTH_MAX).replace(/-$/, '');
}
