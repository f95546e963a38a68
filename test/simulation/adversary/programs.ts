import { allocator } from '../../../actors/allocator/index.ts';
import { gpuHost } from '../../../actors/gpu-host/index.ts';
import { prefixBatcher } from '../../../actors/prefix-batcher/index.ts';
import { queryRouter } from '../../../actors/query-router/index.ts';
import { simulatedPorts, streamSampler } from '../../../actors/stream-sampler/index.ts';
import { seededRandom, type Imaging } from '../../../contracts/index.ts';
import { openEmulatedDevice } from '../../../gpu-host/index.ts';
import { nameOf, pictureOf, watchedDevice, type DeviceWatch } from './device.ts';
import type { Process, Program } from './process.ts';
import type { Scenario } from './scenario.ts';

/** Crops that tell which picture they were cut out of. */
const imaging: Imaging = {
  size: async () => ({ width: 640, height: 360 }),
  crop: async (picture, regions) => regions.map((_, i) => pictureOf(`${nameOf(picture)}#${i}`)),
};

export interface Bounds {
  readonly inFlightMax: number;
  readonly heldBytesMax: number;
  readonly queueMax: number;
  readonly batchesMax: number;
  readonly hostBytesMax: number;
}

/** So low that a storm reaches them. */
const TIGHT: Bounds = { inFlightMax: 60, heldBytesMax: 60_000, queueMax: 60, batchesMax: 8, hostBytesMax: 40_000 };
const ROOMY: Bounds = { inFlightMax: 1e4, heldBytesMax: 1e8, queueMax: 1e4, batchesMax: 64, hostBytesMax: 1e8 };

export const boundsOf = ({ kind }: Scenario): Bounds => (kind === 'storm' ? TIGHT : ROOMY);

/** Waits that a simulated minute has room for. */
const ALLOCATOR = {
  leaseMs: 3000,
  epochS: 10,
  epochMinMs: 3000,
  gatherMs: 500,
  prepareMs: 8000,
  commitMs: 3000,
  drainMs: 6000,
  silenceMs: 3000,
  profileMs: 8000,
  barMs: 5000,
  averageMs: 4000,
};

type Recipe = Omit<Program, 'rate'>;

/** The production actors, by the first part of a process's name. */
export const programOf = (id: string, scenario: Scenario, watch: (process: Process) => DeviceWatch): Recipe => {
  const role = id.split('-')[0]!;
  const bounds = boundsOf(scenario);
  switch (role) {
    case 'gpu':
      return hostProgram(scenario, watch);
    case 'router': {
      const { inFlightMax, heldBytesMax } = bounds;
      return { role, config: { inFlightMax, heldBytesMax }, define: () => queryRouter({ imaging }) };
    }
    case 'batcher':
      return { role, config: { queueMax: bounds.queueMax }, define: () => prefixBatcher() };
    case 'sampler':
      return { role, config: {}, define: () => streamSampler(simulatedPorts({ bytes: 400 })) };
    case 'allocator':
      return { role, config: ALLOCATOR, define: () => allocator() };
    default:
      throw new TypeError(`${id} is the name of no actor`);
  }
};

const deviceOf = ({ memoryMB }: Scenario) => ({ kind: 'emulated', memoryMB }) as const;

const hostProgram = (scenario: Scenario, watch: (process: Process) => DeviceWatch): Recipe => ({
  role: 'gpu',
  config: {
    device: deviceOf(scenario),
    profileSeconds: 0.2,
    leaveMsMax: 3000,
    batchesMax: boundsOf(scenario).batchesMax,
    heldBytesMax: boundsOf(scenario).hostBytesMax,
  },
  define: (process, clock) =>
    gpuHost({
      openDevice: async () => {
        const random = seededRandom(process.incarnation);
        const device = openEmulatedDevice(deviceOf(scenario), { clock, random, slowness: () => process.slowness });
        return watchedDevice(device, watch(process));
      },
    }),
});
