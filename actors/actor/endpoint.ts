import { encode, encodeJson, looksLikeJson } from '../../bus/index.ts';
import {
  describeError,
  GanglionError,
  InvalidMessageError,
  type Bus,
  type BusMessage,
  type Clock,
  type ErrorReply,
  type Headers,
  type Log,
  type Subject,
  type Subscription,
} from '../../contracts/index.ts';
import type { Received } from './definition.ts';
import { readMessage } from './read-message.ts';
import { endpointStats, type EndpointStats } from './stats.ts';

const IN_FLIGHT_MAX = 1024;
const KINDS_LOGGED_MAX = 256;

type Handle = (message: unknown, received: Received) => unknown;

interface EndpointSettings {
  readonly name: string;
  readonly subject: Subject<string, any, any>;
  readonly at: Readonly<Record<string, string>>;
  readonly queue: string | undefined;
  readonly inFlightMax: number | undefined;
  readonly handle: Handle;
  readonly malformed: ((error: GanglionError, received: Received) => unknown) | undefined;
}

interface Surroundings {
  readonly bus: Bus;
  readonly prefix: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Publishes an answer; while the bus is away it is kept. */
  answer(subject: string, data: Uint8Array): void;
}

class LazyReceived implements Received {
  readonly #message: BusMessage;
  readonly #endpoint: Endpoint;
  #params: Readonly<Record<string, string>> | undefined;
  constructor(message: BusMessage, endpoint: Endpoint) {
    this.#message = message;
    this.#endpoint = endpoint;
  }
  get subject() {
    return this.#message.subject;
  }
  get params() {
    return (this.#params ??= this.#endpoint.paramsOf(this.#message.subject));
  }
  get headers() {
    return this.#message.headers;
  }
  get bytes() {
    return this.#message.bytes ?? this.#message.data.byteLength;
  }
}

/** One subscription of an actor: decodes, validates, calls the handler, answers, counts. Never throws into the bus. */
export class Endpoint {
  readonly stats: EndpointStats;
  readonly #settings: EndpointSettings;
  readonly #around: Surroundings;
  readonly #subscription: Subscription;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #logged = new Set<string>();

  constructor(settings: EndpointSettings, around: Surroundings) {
    const subject = settings.subject.at(around.prefix, settings.at);
    this.#settings = settings;
    this.#around = around;
    this.stats = endpointStats(settings.name, subject, settings.queue);
    this.#subscription = around.bus.subscribe(
      subject,
      message => this.#deliver(message),
      settings.queue === undefined ? {} : { queue: settings.queue },
    );
  }

  get subscription(): Subscription {
    return this.#subscription;
  }

  paramsOf(subject: string): Readonly<Record<string, string>> {
    return this.#settings.subject.paramsOf(this.#around.prefix, subject);
  }

  /** Resolves when the handlers under way have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  #deliver(packet: BusMessage): void {
    const settings = this.#settings;
    const startedMs = this.#around.clock.nowMs();
    this.stats.requests++;
    const json = wantsJson(packet);
    const received = new LazyReceived(packet, this);
    let answer: unknown;
    try {
      if (this.#inFlight.size >= (settings.inFlightMax ?? IN_FLIGHT_MAX)) {
        this.stats.overflow++;
        throw new OverloadedError(this.stats.subject);
      }
      const message = readMessage(settings.subject, packet);
      answer = message instanceof GanglionError ? this.#refuse(message, received) : settings.handle(message, received);
    } catch (error) {
      this.#fail(packet, error, json, startedMs);
      return;
    }
    if (!(answer instanceof Promise)) {
      this.#finish(packet, answer, json, startedMs);
      return;
    }
    const work: Promise<void> = answer
      .then(
        value => this.#finish(packet, value, json, startedMs),
        error => this.#fail(packet, error, json, startedMs),
      )
      .finally(() => this.#inFlight.delete(work));
    this.#inFlight.add(work);
  }

  #refuse(error: GanglionError, received: Received): unknown {
    this.stats.malformed++;
    this.stats.errors++;
    this.stats.lastError = error.message;
    this.#logOnce('a message was refused', error);
    if (this.#settings.malformed) return this.#settings.malformed(error, received);
    throw error;
  }

  #finish(packet: BusMessage, answer: unknown, json: boolean, startedMs: number): void {
    this.stats.processingMs += this.#around.clock.nowMs() - startedMs;
    const { reply } = packet;
    if (reply === undefined || answer === undefined) return;
    try {
      this.#around.answer(reply, json ? encodeJson(answer) : encode(answer));
    } catch (error) {
      this.#count(error);
      this.#around.answer(reply, encodeReply(errorReply(error), json));
    }
  }

  #fail(packet: BusMessage, error: unknown, json: boolean, startedMs: number): void {
    this.stats.processingMs += this.#around.clock.nowMs() - startedMs;
    this.#count(error);
    if (packet.reply !== undefined) this.#around.answer(packet.reply, encodeReply(errorReply(error), json));
  }

  #count(error: unknown): void {
    if (error instanceof InvalidMessageError) return; // counted as malformed
    this.stats.errors++;
    this.stats.lastError = describeError(error);
    if (error instanceof GanglionError) this.#logOnce('a message was not served', error);
    else
      this.#around.log.error('a handler failed', {
        subject: this.stats.subject,
        error: error instanceof Error ? error.stack : String(error),
      });
  }

  #logOnce(what: string, error: GanglionError): void {
    const kind = error instanceof InvalidMessageError ? `${error.path} ${error.detail}` : error.code;
    if (this.#logged.has(kind) || this.#logged.size >= KINDS_LOGGED_MAX) return;
    this.#logged.add(kind);
    this.#around.log.warn(`${what} (logged once a kind)`, { subject: this.stats.subject, error: error.message });
  }
}

/** More handlers under way than the listener allows. */
class OverloadedError extends GanglionError {
  readonly code = 'overloaded';
  readonly retryable = true;
  constructor(subject: string) {
    super(`${subject}: too many requests under way`);
  }
}

/** Header names are case-sensitive on NATS; people write this one both ways. */
const acceptsJson = (headers: Headers | undefined): boolean =>
  (headers?.['accept'] ?? headers?.['Accept']) === 'application/json';

const wantsJson = (packet: BusMessage): boolean =>
  packet.reply !== undefined && (acceptsJson(packet.headers) || looksLikeJson(packet.data));

const encodeReply = (reply: ErrorReply, json: boolean): Uint8Array => (json ? encodeJson(reply) : encode(reply));

function errorReply(error: unknown): ErrorReply {
  const known = error instanceof GanglionError;
  return {
    error: {
      code: known ? error.code : 'internal',
      detail: describeError(error).slice(0, 2048),
      retryable: known && error.retryable,
    },
  };
}
