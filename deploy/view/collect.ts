import { decode, decodeJson } from '../../bus/index.ts';
import {
  BUCKETS,
  bucketName,
  every,
  Plan,
  subjects,
  validator,
  type AllocatorBeat,
  type BatcherBeat,
  type Bus,
  type Cancel,
  type Clock,
  type HostBeat,
  type RouterBeat,
  type SamplerBeat,
  type Subject,
} from '../../contracts/index.ts';
import { Counters } from './counters.ts';
import { groupsOf } from './groups.ts';
import { isAlive, type Seen, type View } from './view.ts';

interface Latest<B> {
  readonly beat: B;
  readonly atMs: number;
}

/** Silent for so long: it is gone and not shown any more. */
const FORGET_MS = 60_000;
const LEFT_SHOWN_MS = 3_000;

export interface ViewCollector {
  /** The cluster as known now. */
  view(): View;
  /** Stops listening. */
  close(): void;
}

/** Listens to all beats and plans, and puts them together. Beats come each second: look after a good second. */
export function collectView(bus: Bus, options: { prefix: string; clock: Clock; url?: string }): ViewCollector {
  const { prefix, clock } = options;
  const sinceMs = clock.nowMs();
  const hosts = new Map<string, Latest<HostBeat>>();
  const routers = new Map<string, Latest<RouterBeat>>();
  const batchers = new Map<string, Latest<BatcherBeat>>();
  const samplers = new Map<string, Latest<SamplerBeat>>();
  const allocators = new Map<string, Latest<AllocatorBeat>>();
  const counters = new Counters();
  const ends: Cancel[] = [];
  let plan: Plan | undefined;

  const listen = <M>(subject: Subject<string, M, never>, take: (message: M, name: string) => void): void => {
    const subscription = bus.subscribe(subject.at(prefix), message => {
      const value = decodeQuietly(message.data);
      const name = message.subject.split('.').at(-1)!;
      if (subject.message.accepts(value)) take(structuredClone(value), name);
    });
    ends.push(() => subscription.unsubscribe());
  };
  const keep =
    <B>(all: Map<string, Latest<B>>, also: (name: string, beat: B, nowMs: number) => void = () => {}) =>
    (beat: B, name: string): void => {
      const nowMs = clock.nowMs();
      all.set(name, { beat, atMs: nowMs });
      also(name, beat, nowMs);
    };
  const takePlan = (next: Plan): void => {
    if (!plan || next.epoch >= plan.epoch) plan = next;
  };
  listen(
    subjects.hostBeats,
    keep(hosts, (name, beat, nowMs) => counters.host(name, beat, nowMs)),
  );
  listen(
    subjects.routerBeats,
    keep(routers, (name, beat, nowMs) => counters.router(name, beat, nowMs)),
  );
  listen(subjects.batcherBeats, keep(batchers));
  listen(subjects.samplerBeats, keep(samplers));
  listen(subjects.allocatorBeats, keep(allocators));
  listen(subjects.plans, takePlan);
  // Stored plans show at once; without storage the leader's publication comes within a second.
  void storedPlan(bus, prefix).then(stored => stored && takePlan(stored));

  ends.push(
    every(clock, 1000, () => {
      const nowMs = clock.nowMs();
      for (const all of [hosts, routers, batchers, samplers, allocators] as Map<string, Latest<unknown>>[]) {
        for (const [name, { atMs }] of all) if (nowMs - atMs > FORGET_MS) all.delete(name);
      }
      // Who took its leave is not silent.
      for (const all of [batchers, samplers] as Map<string, Latest<{ leaving?: boolean }>>[])
        for (const [name, { beat }] of all) if (beat.leaving) all.delete(name);
      for (const [name, { beat, atMs }] of hosts)
        if (beat.state === 'left' && nowMs - atMs > LEFT_SHOWN_MS) hosts.delete(name);
    }),
  );

  return {
    view: () => {
      const nowMs = clock.nowMs();
      const seen = <B>(all: Map<string, Latest<B>>): Seen<B>[] =>
        [...all]
          .map(([name, { beat, atMs }]) => ({ name, beat, ageMs: nowMs - atMs }))
          .sort((a, b) => (a.name < b.name ? -1 : 1));
      const alive = <B>(all: Map<string, Latest<B>>): B[] =>
        seen(all)
          .filter(isAlive)
          .map(({ beat }) => beat);
      return {
        url: options.url ?? '',
        prefix,
        unixMs: clock.unixMs(),
        connected: bus.connected,
        watchedMs: nowMs - sinceMs,
        hosts: seen(hosts).map(host => ({
          ...host,
          ...counters.ofHost(host.name),
          groups: groupsOf(host.beat),
          ailing: alive(batchers).flatMap(({ ailing = [] }) => ailing.find(one => one.host === host.name) ?? [])[0],
          avoided: alive(allocators).some(({ avoiding = [] }) => avoiding.includes(host.name)),
        })),
        routers: seen(routers),
        batchers: seen(batchers),
        samplers: seen(samplers),
        allocators: seen(allocators),
        queries: counters.queries(seen(routers), plan),
        plan,
      };
    },
    close: () => {
      for (const end of ends) end();
    },
  };
}

function decodeQuietly(data: Uint8Array): unknown {
  try {
    return decode(data);
  } catch {
    return undefined;
  }
}

const planSchema = validator(Plan);

/** The plan in force as it was stored; undefined when there is none or storage is away. */
export async function storedPlan(bus: Bus, prefix: string): Promise<Plan | undefined> {
  try {
    const entry = await (await bus.keyValue(bucketName(prefix, BUCKETS.plan))).get('current');
    const value = entry?.value && decodeJson(entry.value);
    return planSchema.accepts(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
