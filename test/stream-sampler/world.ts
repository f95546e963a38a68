import type { ExecutionContext } from 'ava';
import { startActor } from '../../actors/actor/index.ts';
import { simulatedPorts, streamSampler, type SamplerPorts } from '../../actors/stream-sampler/index.ts';
import { createNetwork, decode, encodeJson, realClock, VirtualClock } from '../../bus/index.ts';
import {
  bucketName,
  BUCKETS,
  seededRandom,
  subjects,
  type Clock,
  type Frame,
  type Log,
  type SamplerBeat,
  type StreamDocument,
  type StreamNews,
} from '../../contracts/index.ts';

interface Seen<M> {
  readonly stream: string;
  readonly atMs: number;
  readonly message: M;
}

/** A bus with somebody who watches it, and samplers on it. */
function createWorld(clock: Clock, t: ExecutionContext, options: { maxPayloadBytes?: number } = {}) {
  const network = createNetwork({ clock, ...options });
  const watcher = network.connect('watcher');
  const frames: Seen<Frame>[] = [];
  const news: Seen<StreamNews>[] = [];
  const beats = new Map<string, SamplerBeat>();
  const logged: string[] = [];
  const say = (message: string, facts?: object) => void logged.push(`${message} ${JSON.stringify(facts ?? {})}`);
  const log: Log = { debug: say, info: say, warn: say, error: say };
  const stream = (subject: string): string => subject.split('.').at(-1)!;
  const keep =
    <M>(into: Seen<M>[]) =>
    ({ subject, data }: { subject: string; data: Uint8Array }) =>
      void into.push({ stream: stream(subject), atMs: clock.nowMs(), message: decode(data) as M });
  watcher.subscribe(subjects.frames.at('ganglion'), keep(frames));
  watcher.subscribe(subjects.streamNews.at('ganglion'), keep(news));
  watcher.subscribe(subjects.samplerBeats.at('ganglion'), ({ subject, data }) => {
    beats.set(stream(subject), decode(data) as SamplerBeat);
  });
  const config = watcher.keyValue(bucketName('ganglion', BUCKETS.config));
  return {
    clock,
    network,
    watcher,
    frames,
    news,
    beats,
    logged,
    of: (name: string) => frames.filter(frame => frame.stream === name),
    newsOf: (name: string) => news.filter(item => item.stream === name).map(item => item.message.state),
    reportOf: (sampler: string, name: string) => beats.get(sampler)?.streams.find(entry => entry.stream === name),
    apply: async (document: StreamDocument) => {
      const key = `streams.${document.tenant ?? 'default'}.${document.name}`;
      await (await config).put(key, encodeJson(document));
    },
    put: async (key: string, value: Uint8Array) => (await config).put(key, value),
    remove: async (name: string) => (await config).delete(`streams.default.${name}`),
    sampler: async (id: string, ports: SamplerPorts, settings: object = {}) => {
      const running = await startActor(streamSampler(ports), {
        bus: network.connect(id),
        clock,
        random: seededRandom(7),
        log,
        id,
        config: settings,
        checkOutgoing: true,
      });
      t.teardown(async () => running.kill());
      return running;
    },
  };
}

/** All in simulated time: pictures are placeholders, nothing waits for the outside. */
export function simulatedWorld(t: ExecutionContext) {
  const clock = new VirtualClock();
  const world = createWorld(clock, t);
  return {
    ...world,
    clock,
    apply: (document: StreamDocument) => clock.settle(world.apply(document)),
    put: (key: string, value: Uint8Array) => clock.settle(world.put(key, value)),
    remove: (name: string) => clock.settle(world.remove(name)),
    sampler: (id: string, ports: SamplerPorts = simulatedPorts({ bytes: 200 }), settings: object = {}) =>
      clock.settle(world.sampler(id, ports, settings)),
  };
}

export const realWorld = (t: ExecutionContext, options: { maxPayloadBytes?: number } = {}) => {
  const world = createWorld(realClock, t, options);
  return {
    ...world,
    sampler: async (id: string, ports: SamplerPorts = {}, settings: object = {}) => {
      const running = await world.sampler(id, ports, { listenMs: 0, ...settings });
      t.teardown(async () => running.stop());
      return running;
    },
  };
};

/** Waits for the real world. @throws Error after 20 s, saying what was awaited */
export async function until(
  condition: () => boolean,
  describe: () => unknown = () => condition.toString(),
): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not so within 20 s: ${JSON.stringify(describe())}`);
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}

export const synthetic = (name: string, rateHz: number, more: Partial<StreamDocument> = {}): StreamDocument => ({
  kind: 'Stream',
  name,
  source: { kind: 'synthetic', seed: 3 },
  rateHz,
  ...more,
});
