import { Value } from 'typebox/value';
import { decode, encode } from '../../bus/index.ts';
import {
  bucketName,
  ConfigError,
  DEFAULT_PREFIX,
  describeError,
  ErrorReply,
  every,
  InvalidMessageError,
  isToken,
  RemoteError,
  silentLog,
  subjects as ourSubjects,
  validator,
  type Bus,
  type Cancel,
  type Clock,
  type Log,
  type Random,
  type Static,
  type Subject,
  type SubjectMap,
  type TSchema,
} from '../../contracts/index.ts';
import { Alarms } from './alarms.ts';
import type { ActorContext, ActorDefinition, Listener } from './definition.ts';
import { answerDiscovery } from './discovery.ts';
import { Endpoint } from './endpoint.ts';
import { Outbox } from './outbox.ts';
import type { EndpointStats } from './stats.ts';

const isErrorReply = validator(ErrorReply);
const FINISH_MS_MAX = 30_000;

export interface ActorSurroundings {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  /** Name of the instance: a subject token, unique in the cluster. */
  readonly id: string;
  readonly prefix?: string;
  /** Raw configuration, checked against the actor's schema. */
  readonly config?: unknown;
  readonly vitals?: () => { rssBytes: number; loopDelayP99Ms: number };
  /** Checks outgoing messages too: for tests. */
  readonly checkOutgoing?: boolean;
}

/** How an actor ended by itself. */
export type Ending =
  | { readonly how: 'left'; readonly reason: string }
  | { readonly how: 'crashed'; readonly error: unknown };

export interface RunningActor<State = unknown> {
  readonly name: string;
  readonly id: string;
  readonly state: State;
  /** Resolves if the actor leaves or crashes by itself. It has not been stopped then: call {@link stop} or {@link kill}. */
  readonly ended: Promise<Ending>;
  stats(): readonly EndpointStats[];
  /** In good order: the actor's own `stop`, then subscriptions drained, handlers awaited (at most 30 s), the bus flushed. The bus stays open. */
  stop(): Promise<void>;
  /** At once, as a crash would: no goodbye. */
  kill(): void;
}

/**
 * Starts an actor on a bus.
 * @throws ConfigError when its configuration doesn't fit, and whatever its `start` throws
 */
export async function startActor<C extends TSchema, State, S extends SubjectMap>(
  definition: ActorDefinition<string, C, State, S>,
  around: ActorSurroundings,
): Promise<RunningActor<State>> {
  const { bus, clock, random, id } = around;
  const prefix = around.prefix ?? DEFAULT_PREFIX;
  const log = around.log ?? silentLog;
  if (!isToken(id)) throw new ConfigError(`"${id}" is not a name: use A-Z a-z 0-9 _ - (at most 64)`, { field: 'name' });
  const config = checkConfig<C>(definition, around.config ?? {});

  const endpoints: Endpoint[] = [];
  const cancels: Cancel[] = [];
  const alarms = new Alarms(clock, error => ctx.crash(error));
  const outbox = new Outbox();
  const spawned = new Set<Promise<void>>();
  let end: (ending: Ending) => void = () => {};
  const ended = new Promise<Ending>(resolve => (end = resolve));
  let stopped = false;

  const addEndpoint = (
    name: string,
    subject: Subject<string, any, any>,
    listener: Pick<Listener<unknown, unknown, unknown>, 'queue' | 'inFlightMax'> & { at: Record<string, string> },
    handle: (message: any, received: any) => unknown,
    malformed?: (error: any, received: any) => unknown,
  ): Endpoint => {
    const { queue, inFlightMax, at } = listener;
    const endpoint = new Endpoint(
      { name, subject, at, queue, inFlightMax, handle, malformed },
      { bus, prefix, clock, log, answer: (to, data) => void publishNow(to, data, true) },
    );
    endpoints.push(endpoint);
    return endpoint;
  };

  const publishNow = (subject: string, data: Uint8Array, keep: boolean): boolean => {
    if (keep && outbox.size > 0) return outbox.keep(subject, data);
    return bus.publish(subject, data) || (keep && outbox.keep(subject, data));
  };

  const publishOn = <M>(
    subject: Subject<string, M, any>,
    to: string,
    message: M,
    publishValue: ((message: unknown) => boolean) | undefined,
    keep: boolean,
  ): boolean => {
    if (stopped) return false;
    if (around.checkOutgoing) subject.message.check(message, to);
    if (publishValue && bus.connected && outbox.size === 0) return publishValue(message);
    return publishNow(to, encode(message), keep);
  };

  const publisher: ActorContext<Static<C>, State>['publisher'] = (subject, params, { keep = false } = {}) => {
    const to = subject.at(prefix, params);
    const publishValue = bus.valuesTo?.(to);
    return message => publishOn(subject, to, message, publishValue, keep);
  };

  const ctx: ActorContext<Static<C>, State> = {
    id,
    config,
    clock,
    random,
    log,
    prefix,
    bus,
    state: definition.state({ id, config, clock, random, log }),
    vitals: around.vitals ?? (() => ({ rssBytes: 0, loopDelayP99Ms: 0 })),
    publish: (subject, params, message, options) => {
      const to = subject.at(prefix, params);
      const headers = options?.headers;
      if (!headers) return publishOn(subject, to, message, bus.valuesTo?.(to), options?.keep ?? false);
      if (stopped) return false;
      if (around.checkOutgoing) subject.message.check(message, to);
      return bus.publish(to, encode(message), { headers });
    },
    publisher,
    request: async (subject, params, message, options) => {
      const to = subject.at(prefix, params);
      if (around.checkOutgoing) subject.message.check(message, to);
      const reply = decode((await bus.request(to, encode(message), options)).data);
      if (subject.reply?.accepts(reply)) return reply;
      if (isErrorReply.accepts(reply))
        throw new RemoteError({
          subject: to,
          remoteCode: reply.error.code,
          detail: reply.error.detail,
          retryable: reply.error.retryable,
        });
      if (!subject.reply) throw new TypeError(`nobody answers on ${subject.pattern}`);
      return subject.reply.check(reply, `answer on ${to}`);
    },
    listen: (subject, options, handle) => {
      const { queue, inFlightMax, malformed } = options;
      const at = (options.at ?? {}) as Record<string, string>;
      const endpoint = addEndpoint(
        subject.pattern.split('.')[0]!,
        subject,
        { at, ...(queue === undefined ? {} : { queue }), ...(inFlightMax === undefined ? {} : { inFlightMax }) },
        handle,
        malformed,
      );
      const forget = () => {
        const index = endpoints.indexOf(endpoint);
        if (index >= 0) endpoints.splice(index, 1);
      };
      const { subscription } = endpoint;
      return {
        subject: subscription.subject,
        queue: subscription.queue,
        unsubscribe: () => {
          forget();
          subscription.unsubscribe();
        },
        drain: async () => {
          await subscription.drain();
          await endpoint.settled();
          forget();
        },
      };
    },
    after: (delayMs, fn) => alarms.after(delayMs, fn),
    alarm: fn => alarms.alarm(fn),
    keyValue: bucket => bus.keyValue(bucketName(prefix, bucket)),
    objectStore: bucket => bus.objectStore(bucketName(prefix, bucket)),
    spawn: (what, work) => {
      const running: Promise<void> = work()
        .catch(error =>
          log.error(`${what} failed`, {
            error: error instanceof Error ? (error.stack ?? error.message) : String(error),
          }),
        )
        .finally(() => spawned.delete(running));
      spawned.add(running);
    },
    leave: reason => end({ how: 'left', reason }),
    crash: error => {
      log.error('the actor can not go on', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      end({ how: 'crashed', error });
    },
  };

  const silence = (): void => {
    stopped = true;
    for (const cancel of cancels.splice(0)) cancel();
    alarms.clear();
  };

  await definition.start?.(ctx);
  const registry = (definition.subjects ?? ourSubjects) as SubjectMap;
  for (const [name, listener] of Object.entries(definition.on ?? {}) as [
    string,
    Listener<Static<C>, State, Subject<string, any, any>> | undefined,
  ][]) {
    if (!listener) continue;
    const { queue, inFlightMax, malformed } = listener;
    addEndpoint(
      name,
      registry[name]!,
      {
        at: listener.at?.(ctx) ?? {},
        ...(queue === undefined ? {} : { queue }),
        ...(inFlightMax === undefined ? {} : { inFlightMax }),
      },
      (message, received) => listener.handle(ctx, message as never, received as never),
      malformed && ((error, received) => malformed(ctx, error, received as never)),
    );
  }
  for (const [name, timer] of Object.entries(definition.every ?? {})) {
    const periodMs = typeof timer.everyMs === 'number' ? timer.everyMs : timer.everyMs(ctx);
    let busy = false;
    cancels.push(
      every(clock, periodMs, () => {
        if (busy) return;
        const run = async (): Promise<void> => {
          busy = true;
          try {
            await timer.run(ctx);
          } catch (error) {
            log.error(`timer ${name} failed`, {
              error: error instanceof Error ? (error.stack ?? error.message) : String(error),
            });
          } finally {
            busy = false;
          }
        };
        void run();
      }),
    );
  }
  let wasAway = !bus.connected;
  cancels.push(
    bus.onStatus(status => {
      if (status === 'disconnected') wasAway = true;
      if (status !== 'connected' || !wasAway) return;
      wasAway = false;
      outbox.flush((subject, data) => bus.publish(subject, data));
      definition.reconnected?.(ctx);
    }),
  );
  const discovery = answerDiscovery(
    bus,
    {
      name: definition.name,
      id,
      version: definition.version,
      description: definition.description,
      metadata: { prefix },
      startedUnixMs: clock.unixMs(),
    },
    () => endpoints.map(e => e.stats),
  );
  log.info('running', { actor: definition.name });

  const finished = async (): Promise<void> => {
    await Promise.all(endpoints.map(async endpoint => endpoint.subscription.drain()));
    await Promise.all(endpoints.map(async endpoint => endpoint.settled()));
    await Promise.all(spawned);
  };

  return {
    name: definition.name,
    id,
    state: ctx.state,
    ended,
    stats: () => endpoints.map(e => e.stats),
    stop: async () => {
      if (stopped) return;
      await definition.stop?.(ctx);
      for (const subscription of discovery) subscription.unsubscribe();
      const inTime = await Promise.race([
        finished().then(() => true),
        new Promise<false>(resolve => void alarms.after(FINISH_MS_MAX, () => resolve(false))),
      ]);
      if (!inTime) log.warn('stopping with handlers still under way', { after: `${FINISH_MS_MAX} ms` });
      silence();
      if (bus.connected)
        await bus.flush().catch(error => log.warn('the last messages may be lost', { error: describeError(error) }));
    },
    kill: () => {
      silence();
      for (const subscription of discovery) subscription.unsubscribe();
      for (const endpoint of endpoints) endpoint.subscription.unsubscribe();
    },
  };
}

function checkConfig<C extends TSchema>(
  definition: { readonly name: string; readonly config: C },
  raw: unknown,
): Static<C> {
  const filled = Value.Default(definition.config, structuredClone(raw));
  try {
    return validator(definition.config).check(filled, definition.name);
  } catch (error) {
    if (!(error instanceof InvalidMessageError)) throw error;
    throw new ConfigError(
      error.detail,
      { field: `${definition.name} config${error.path.replaceAll('/', '.')}` },
      { cause: error },
    );
  }
}
