import type {
  Alarm,
  Bus,
  Cancel,
  Clock,
  GanglionError,
  Headers,
  KeyValue,
  Log,
  MessageOf,
  ObjectStore,
  Params,
  ParamsOf,
  Random,
  ReplyOf,
  Static,
  Subject,
  SubjectMap,
  Subjects,
  Subscription,
  TSchema,
} from '../../contracts/index.ts';

/** What an actor is told before it has a bus: enough to make its state. */
export interface ActorInit<Config> {
  /** Name of this instance, unique in the cluster; a subject token. */
  readonly id: string;
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Everything a handler may touch. No handler reads time, randomness or the network any other way. */
export interface ActorContext<Config, State> extends ActorInit<Config> {
  readonly state: State;
  /** First token of every subject. */
  readonly prefix: string;
  /** The bus itself, for its limits and status; say things through {@link publish} and {@link request}. */
  readonly bus: Bus;
  /** Resident memory and event-loop delay of the process, for beats. */
  vitals(): { rssBytes: number; loopDelayP99Ms: number };
  /**
   * False when the bus is away and the message is lost. With `keep` it is held (bounded) and sent when the bus is back;
   * false then means that the hold was full.
   * @throws PayloadTooLargeError
   */
  publish<P extends string, M>(
    subject: Subject<P, M, any>,
    params: Params<P>,
    message: NoInfer<M>,
    options?: { headers?: Headers; keep?: boolean },
  ): boolean;
  /** {@link publish} for an address that is written to again and again: what can be looked up is looked up once. */
  publisher<P extends string, M>(
    subject: Subject<P, M, any>,
    params: Params<P>,
    options?: { keep?: boolean },
  ): (message: M) => boolean;
  /** @throws NoResponderError, RequestTimeoutError, RemoteError, DisconnectedError, InvalidMessageError (of the answer) */
  request<P extends string, M, R>(
    subject: Subject<P, M, R>,
    params: Params<P>,
    message: NoInfer<M>,
    options: { timeoutMs: number },
  ): Promise<R>;
  /** Listens beyond what the definition lists, e.g. on subjects that a plan names. Ends with the actor at the latest. */
  listen<P extends string, M, R>(
    subject: Subject<P, M, R>,
    options: {
      at?: Partial<Params<P>>;
      queue?: string;
      inFlightMax?: number;
      malformed?: (error: GanglionError, received: Received<Params<P>>) => HandlerResult<R>;
    },
    handle: (message: M, received: Received<Params<P>>) => HandlerResult<R>,
  ): Subscription;
  /** Once, after `delayMs`; cancelled when the actor stops. What `fn` throws crashes the actor. */
  after(delayMs: number, fn: () => void): Cancel;
  /** As {@link after}, to be set again and again. */
  alarm(fn: () => void): Alarm;
  /** Buckets below the prefix (`BUCKETS`). @throws StorageUnavailableError */
  keyValue(bucket: string): Promise<KeyValue>;
  /** Object store below the prefix (`MODEL_STORE`). @throws StorageUnavailableError */
  objectStore(bucket: string): Promise<ObjectStore>;
  /** Runs work that outlives its handler; the actor waits for it when it stops, what it throws is logged as a fault. */
  spawn(what: string, work: () => Promise<void>): void;
  /** Ends this actor in good order (exit code 0): nobody restarts it. */
  leave(reason: string): void;
  /** Ends this actor at once because it can't go on (exit code 1): its supervisor restarts it. */
  crash(error: unknown): void;
}

/** How a message came. */
export interface Received<P = Readonly<Record<string, string>>> {
  readonly subject: string;
  /** Values of the pattern's parameters. */
  readonly params: P;
  readonly headers: Headers | undefined;
  /** Size of the packet. */
  readonly bytes: number;
}

/** A handler that answers returns the reply or throws a GanglionError, which the asker gets as RemoteError. */
export type HandlerResult<R> = [R] extends [never] ? void | Promise<void> : R | Promise<R>;

export interface Listener<Config, State, S> {
  /** Binds parameters of the pattern; those left out become wildcards. Default: all wildcards. */
  readonly at?: (ctx: ActorContext<Config, State>) => Partial<ParamsOf<S>>;
  /** Instances of one queue group share the messages. Default: each instance gets every message. */
  readonly queue?: string;
  /** Bound on handlers under way; beyond it requests are refused and messages counted as overflow. Default 1024. */
  readonly inFlightMax?: number;
  readonly handle: (
    ctx: ActorContext<Config, State>,
    message: MessageOf<S>,
    received: Received<ParamsOf<S>>,
  ) => HandlerResult<ReplyOf<S>>;
  /** A message that isn't one. Default: counted, logged once a kind, answered with the error where an answer is awaited. */
  readonly malformed?: (
    ctx: ActorContext<Config, State>,
    error: GanglionError,
    received: Received<ParamsOf<S>>,
  ) => HandlerResult<ReplyOf<S>>;
}

export interface Timer<Config, State> {
  readonly everyMs: number | ((ctx: ActorContext<Config, State>) => number);
  /** Runs never overlap: a run that takes longer than the period delays the next. What it throws is logged as a fault. */
  readonly run: (ctx: ActorContext<Config, State>) => void | Promise<void>;
}

export type Listeners<Config, State, S> = { readonly [K in keyof S]?: Listener<Config, State, S[K]> };

/** A declaration: a name, what it listens to, what it holds, its handlers. {@link actor} infers the types. */
export interface ActorDefinition<N extends string, C extends TSchema, State, S extends SubjectMap> {
  /** Kind of actor: lower-case words with dashes. */
  readonly name: N;
  /** Semantic version, for discovery. */
  readonly version: string;
  readonly description: string;
  /** Checked when the actor starts; defaults in it are filled in. Use `Type.Object({})` for none. */
  readonly config: C;
  /** Subjects that `on` may name: ours unless given. */
  readonly subjects?: S;
  readonly state: (init: ActorInit<Static<C>>) => State;
  readonly on?: Listeners<Static<C>, State, S>;
  readonly every?: { readonly [timer: string]: Timer<Static<C>, State> };
  /** Before any message is delivered. Throwing means that the actor can't start. */
  readonly start?: (ctx: ActorContext<Static<C>, State>) => void | Promise<void>;
  /** The connection came back: what was published meanwhile is lost. */
  readonly reconnected?: (ctx: ActorContext<Static<C>, State>) => void;
  /** Asked to stop: finish what is under way. Messages are still delivered until it resolves. */
  readonly stop?: (ctx: ActorContext<Static<C>, State>) => void | Promise<void>;
}

/** Any actor, for those that start them. */
export type AnyActor = ActorDefinition<string, TSchema, any, any>;

/**
 * Declares an actor. A subject that doesn't exist, a message that doesn't fit and a reply of the wrong type are compile errors:
 *
 *     export default actor({
 *       name: 'score-alert',
 *       version: '1.0.0',
 *       description: 'Tells when a score changes.',
 *       config: Type.Object({}),
 *       state: () => ({ last: new Map<string, string>() }),
 *       on: { results: { handle: (ctx, result) => { … } } },
 *     });
 */
export function actor<const N extends string, C extends TSchema, State>(
  definition: ActorDefinition<N, C, State, Subjects>,
): ActorDefinition<N, C, State, Subjects>;
/** The same with subjects of your own: `actor({ ...subjects, mine: subject(…) }, { …, on: { mine: … } })`. */
export function actor<S extends SubjectMap, const N extends string, C extends TSchema, State>(
  subjects: S,
  definition: ActorDefinition<N, C, State, NoInfer<S>>,
): ActorDefinition<N, C, State, S>;
export function actor(first: AnyActor | SubjectMap, second?: AnyActor): AnyActor {
  return second ? { ...second, subjects: first as SubjectMap } : (first as AnyActor);
}
