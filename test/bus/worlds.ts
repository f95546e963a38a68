import { setTimeout as pause } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { createNetwork, realClock } from '../../bus/index.ts';
import type { Bus, BusMessage, BusStatus } from '../../contracts/index.ts';
import { natsServers, natsServerVersion, startNats } from '../helpers/nats-server.ts';

/** One bus implementation with its server, for one test. */
export interface World {
  /** A client, closed when the test ends. */
  connect(): Promise<Bus>;
  /** The server is gone without a goodbye. */
  crash(): Promise<void>;
  /** The server is there again, where it was. */
  restart(): Promise<void>;
}

export interface Kind {
  readonly name: string;
  readonly start: (t: ExecutionContext) => Promise<World>;
}

const inProcess: Kind = {
  name: 'in-process',
  start: async t => {
    const network = createNetwork({ clock: realClock });
    let clients = 0;
    return {
      connect: async () => {
        const bus = network.connect(`client-${clients++}`);
        t.teardown(async () => bus.close());
        return bus;
      },
      crash: async () => network.stop(),
      restart: async () => network.start(),
    };
  },
};

/** The in-process bus, and NATS on every nats-server that can be had here. */
export const kinds: readonly Kind[] = [
  inProcess,
  ...natsServers().map(binary => ({
    name: `nats-server ${natsServerVersion(binary)}`,
    start: async (t: ExecutionContext) => startNats(t, { binary }),
  })),
];

/** Polls until the condition holds. @throws Error that shows `state()` when it doesn't within 20 s */
export async function until(condition: () => boolean, state: () => unknown = () => ''): Promise<void> {
  const deadlineMs = realClock.nowMs() + 20_000;
  while (!condition()) {
    if (realClock.nowMs() > deadlineMs)
      throw new Error(`still not so: ${condition.toString()} ${JSON.stringify(state())}`);
    await pause(5);
  }
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (data: Uint8Array | undefined): string | undefined => data && new TextDecoder().decode(data);

/** Listens and keeps what comes, as text. Resolves when the server knows. */
export async function collect(bus: Bus, subject: string, queue?: string): Promise<string[]> {
  const got: string[] = [];
  bus.subscribe(subject, message => got.push(text(message.data)!), queue === undefined ? {} : { queue });
  await bus.flush();
  return got;
}

/** Answers each request with `answer(message)`. */
export async function serve(
  bus: Bus,
  subject: string,
  answer: (message: BusMessage) => string = message => `echo ${text(message.data)}`,
): Promise<void> {
  bus.subscribe(subject, message => void message.respond(bytes(answer(message))));
  await bus.flush();
}

export function statuses(bus: Bus): BusStatus[] {
  const seen: BusStatus[] = [];
  bus.onStatus(status => seen.push(status));
  return seen;
}
