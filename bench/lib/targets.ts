import { connect, type NatsConnection } from 'nats';
import { startActor } from '../../actors/actor/index.ts';
import { queryRouter } from '../../actors/query-router/index.ts';
import { connectNats, decode, encode, realClock, systemRandom } from '../../bus/index.ts';
import { silentLog, subjects, type Bus, type BusMessage, type Result } from '../../contracts/index.ts';
import { imaging } from '../../gpu-host/index.ts';
import type { LoadTarget } from './load.ts';

export type ClosableTarget = LoadTarget & { close(): Promise<void> };

/** A query of a benchmark reads the stream of its own name. */
const streamOf = (query: string) => ({ tenant: 'default', stream: query });
const REQUEST_TIMEOUT_MS = 5000;

/** A JPEG's first bytes and then anything: an emulated device doesn't decode it. */
export const picture = (bytes: number): Uint8Array => {
  const data = new Uint8Array(bytes);
  data.set([0xff, 0xd8, 0xff, 0xe0]);
  return data;
};

/** Requests that wait for the result of their frame. */
class Waiting {
  #seq = Math.floor(Math.random() * 1e9);
  readonly #ended = new Map<number, (ok: boolean) => void>();
  add(ended: (ok: boolean) => void): number {
    this.#ended.set(++this.#seq, ended);
    return this.#seq;
  }
  take(data: Uint8Array): void {
    const { seq = -1, outcome } = decode(data) as Result;
    this.#ended.get(seq)?.(outcome === 'ok');
    this.#ended.delete(seq);
  }
}

const frame = (seq: number, data: Uint8Array): Uint8Array => encode({ v: 1, seq, picture: { encoding: 'jpeg', data } });

/** Plain request/reply of nats.js with the payload, 100 bytes back: the yardstick. */
export async function plainTarget(url: string, data: Uint8Array): Promise<ClosableTarget> {
  const nc = await connect({ servers: url, noAsyncTraces: true });
  return {
    send: (_n, ended) => {
      nc.request('bench.echo', data, { timeout: REQUEST_TIMEOUT_MS }).then(
        () => ended(true),
        () => ended(false),
      );
    },
    close: () => nc.close(),
  };
}

/** Frames of another process: they reach the router over NATS, the results come back over NATS. */
export async function publishedTarget(url: string, query: string, data: Uint8Array): Promise<ClosableTarget> {
  const nc: NatsConnection = await connect({ servers: url, noAsyncTraces: true });
  const waiting = new Waiting();
  nc.subscribe(subjects.results.at('ganglion', { ...streamOf(query), query }), {
    callback: (_error, message) => waiting.take(message.data),
  });
  await nc.flush();
  const subject = subjects.frames.at('ganglion', streamOf(query));
  return {
    send: (_n, ended) => nc.publish(subject, frame(waiting.add(ended), data)),
    close: () => nc.close(),
  };
}

/**
 * Source and router in one process: the router actor runs here, and its frames reach it without the way over the server.
 * All else that it says and hears goes over NATS as ever.
 */
export async function embeddedTarget(url: string, query: string, data: Uint8Array): Promise<ClosableTarget> {
  const bus = await connectNats({ servers: [url], name: 'embedded', clock: realClock });
  const waiting = new Waiting();
  let deliver: ((message: BusMessage) => void) | undefined;
  const frames = subjects.frames.at('ganglion');
  const results = subjects.results.at('ganglion', { ...streamOf(query), query });
  const around: Bus = Object.create(bus, {
    maxPayloadBytes: { get: () => bus.maxPayloadBytes },
    connected: { get: () => bus.connected },
  }) as Bus;
  around.subscribe = (subject, take, options) => {
    if (subject !== frames) return bus.subscribe(subject, take, options);
    deliver = take;
    return { subject, queue: undefined, unsubscribe: () => (deliver = undefined), drain: async () => {} };
  };
  around.publish = (subject, bytes, options) => {
    const sent = bus.publish(subject, bytes, options);
    if (subject === results) waiting.take(bytes);
    return sent;
  };
  for (const name of ['request', 'requestMany', 'keyValue', 'objectStore', 'onStatus', 'flush', 'drain'] as const)
    around[name] = bus[name].bind(bus) as never;
  const router = await startActor(queryRouter({ imaging }), {
    bus: around,
    clock: realClock,
    random: systemRandom,
    log: silentLog,
    id: 'embedded',
    config: { inFlightMax: 100_000 },
  });
  const subject = subjects.frames.at('ganglion', streamOf(query));
  const nobody = { subject, headers: undefined, reply: undefined, respond: () => false };
  return {
    send: (_n, ended) => deliver?.({ ...nobody, data: frame(waiting.add(ended), data) }),
    close: async () => {
      await router.stop();
      await bus.close();
    },
  };
}
