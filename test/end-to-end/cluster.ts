import { join } from 'node:path';
import sharp from 'sharp';
import { decode, encode } from '../../bus/index.ts';
import { subjects, type Bus, type ClusterDocument, type InferRequest, type Result } from '../../contracts/index.ts';
import { launchCluster, type ClusterEvent, type LaunchedCluster } from '../../deploy/cluster/index.ts';
import type { Cleanup } from './cleanup.ts';
import { Flow } from './flow.ts';
import { Ledger } from './ledger.ts';
import { WATCH, writeDocuments } from './models.ts';
import { noneLeft } from './processes.ts';
import { until } from './until.ts';

export const EMULATED = { device: { kind: 'emulated' } } as const;
export const ONNX = { device: { kind: 'onnx', providers: ['cpu'], threads: 1, memoryMB: 2048 } } as const;

/** One of each, on an emulated device. */
export const ONE_OF_EACH: ClusterDocument['actors'] = [
  { actor: 'query-router', name: 'router' },
  { actor: 'prefix-batcher', name: 'batcher' },
  { actor: 'gpu-host', name: 'gpu', config: EMULATED },
  { actor: 'allocator', name: 'allocator', config: { gatherMs: 500 } },
];

interface Options {
  readonly actors?: ClusterDocument['actors'];
  /** Written into a file and applied. Default {@link WATCH}. */
  readonly documents?: readonly object[];
  /** Files to apply besides. */
  readonly apply?: readonly string[];
  /** A server that runs already; default: one of its own. */
  readonly natsUrl?: string;
  /** What is killed stays dead. */
  readonly noRestarts?: boolean;
}

/** Real processes on a real nats-server, with a ledger that listens. */
export interface TestCluster {
  readonly launched: LaunchedCluster;
  readonly url: string;
  readonly bus: Bus;
  readonly prefix: string;
  readonly ledger: Ledger;
  readonly folder: string;
  /** All that happened to the processes and what they said, lately. */
  readonly events: readonly ClusterEvent[];
  publish(stream: string, seq: number, picture: Uint8Array): void;
  flow(stream: string, picture: Uint8Array): Flow;
  ask(query: string, request: Partial<InferRequest> & Pick<InferRequest, 'payload'>): Promise<Result>;
  /** Asks until it is answered. */
  serves(query: string, picture: Uint8Array): Promise<void>;
  /** The warnings and errors that an actor told. */
  complaints(actor?: string): string[];
  /** What the processes went through, for the log of a failed test. */
  readonly story: () => string;
}

const EVENTS_MAX = 2000;

/** Starts a cluster; it is gone, every process of it, when `cleanup` has run. */
export async function startCluster(cleanup: Cleanup, options: Options = {}): Promise<TestCluster> {
  const { actors = ONE_OF_EACH, documents = WATCH.documents, apply = [], natsUrl } = options;
  const folder = await cleanup.folder();
  const files = documents.length > 0 ? [await writeDocuments(folder, 'documents.yaml', documents)] : [];
  const events: ClusterEvent[] = [];
  const pids: number[] = [];
  cleanup.add(() => noneLeft(pids));
  const launched = await launchCluster({
    document: {
      kind: 'Cluster',
      name: 'end-to-end',
      nats: { start: true, port: 0 },
      actors: [...actors],
      apply: [...files, ...apply],
    },
    baseDir: folder,
    dataDir: join(folder, 'data'),
    ...(natsUrl === undefined ? {} : { natsUrl }),
    ...(options.noRestarts ? { restart: { failuresMax: 0 } } : {}),
    onEvent: event => {
      events.push(event);
      if (events.length > EVENTS_MAX) events.shift();
      if (event.event === 'starting') pids.push(event.pid);
    },
  });
  cleanup.add(() => launched.close());
  const { bus, prefix, url } = launched;
  const ledger = await new Ledger(bus, prefix).ready();
  const cluster: TestCluster = {
    launched,
    url,
    bus,
    prefix,
    ledger,
    folder,
    events,
    publish: (stream, seq, picture) =>
      void bus.publish(
        subjects.frames.at(prefix, { tenant: 'default', stream }),
        encode({ v: 1, seq, picture: { encoding: 'jpeg', data: picture } }),
      ),
    flow: (stream, picture) => {
      const flow = new Flow(bus, prefix, { stream, picture });
      cleanup.add(() => flow.stop());
      return flow;
    },
    ask: async (query, request) => {
      const subject = subjects.infer.at(prefix, { tenant: 'default', query });
      const { data } = await bus.request(subject, encode({ v: 1, ...request }), { timeoutMs: 30_000 });
      const result = subjects.infer.reply!.check(decode(Uint8Array.from(data)), subject);
      ledger.replied(result);
      return result;
    },
    serves: async (query, picture) => {
      let last: Result | undefined;
      await until(
        `query ${query} is served`,
        async () => {
          last = await cluster.ask(query, { payload: { encoding: 'jpeg', data: picture } });
          return last.outcome === 'ok' || last.outcome === 'late';
        },
        { limitMs: 90_000, state: () => `${JSON.stringify(last?.trouble)}\n${cluster.story()}` },
      );
    },
    complaints: actor =>
      events.flatMap(event =>
        event.event === 'log' && (actor === undefined || event.actor === actor) && event.line.level !== 'info'
          ? [`${event.actor}: ${JSON.stringify(event.line)}`]
          : [],
      ),
    story: () =>
      events
        .filter(
          event => event.event !== 'log' || !/^(measured|residency|a message was refused)/.test(event.line.message),
        )
        .slice(-40)
        .map(event => (event.event === 'log' ? `${event.actor} ${JSON.stringify(event.line)}` : JSON.stringify(event)))
        .join('\n'),
  };
  return cluster;
}

/** A small picture that decodes. */
export const jpeg = async (width = 96, height = 64): Promise<Uint8Array> =>
  new Uint8Array(
    await sharp({ create: { width, height, channels: 3, background: { r: 120, g: 180, b: 60 } } })
      .jpeg()
      .toBuffer(),
  );

/** Pid of an actor that runs. */
export const pidOf = (cluster: TestCluster, name: string): number => {
  const pid = cluster.launched.actors().find(actor => actor.name === name)?.pid;
  if (pid === undefined) throw new Error(`${name} doesn't run`);
  return pid;
};
