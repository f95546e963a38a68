import type { AnyActor } from '../actors/actor/index.ts';
import { realClock, systemRandom } from '../bus/index.ts';
import type { ACTOR_NAMES, Log } from '../contracts/index.ts';
import { loadDispatch, loadPacking } from './load-policy.ts';

type OurActor = (typeof ACTOR_NAMES)[number];

/** Our actors with their real ports. Loaded one by one: a router has no use for onnxruntime. */
const makers: Record<OurActor, (log: Log) => Promise<AnyActor>> = {
  'stream-sampler': async () => (await import('../actors/stream-sampler/index.ts')).streamSampler(),
  'query-router': async () => {
    const [{ queryRouter }, { imaging }] = await Promise.all([
      import('../actors/query-router/index.ts'),
      import('../gpu-host/index.ts'),
    ]);
    return queryRouter({ imaging });
  },
  'prefix-batcher': async () =>
    (await import('../actors/prefix-batcher/index.ts')).prefixBatcher({ loadPolicy: loadDispatch }),
  'gpu-host': async log => {
    const [{ gpuHost }, { openDevice }] = await Promise.all([
      import('../actors/gpu-host/index.ts'),
      import('../gpu-host/index.ts'),
    ]);
    return gpuHost({
      openDevice: settings => openDevice(settings, { clock: realClock, random: systemRandom, log }),
    });
  },
  allocator: async () => (await import('../actors/allocator/index.ts')).allocator({ loadPolicy: loadPacking }),
};

export const ourActor = (name: OurActor, log: Log): Promise<AnyActor> => makers[name](log);
