import { PayloadTooLargeError, type Bus, type Clock, type Headers, type Random } from '../../contracts/index.ts';
import { assertHeaders, headerBytes } from '../headers.ts';
import { assertPublishable } from '../subject-match.ts';
import { LocalBus, NO_RESPONDERS, type Hub } from './client.ts';
import type { StoreOutcome } from './journal.ts';
import { ValueLetter, weigh, type Letter } from './letter.ts';
import { Link, type LinkPolicy } from './link.ts';
import { RoutingTable } from './routing.ts';
import { Storage } from './storage.ts';
import { Delivery, type LocalSubscription } from './subscription.ts';
import { Way, type Leg } from './way.ts';

/** As nats-server ships. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;
const PENDING_BYTES_MAX = 64 * 1024 * 1024;
const NO_DATA = new Uint8Array(0);

export interface NetworkOptions {
  readonly clock: Clock;
  /** Default 1 MiB, NATS's own. */
  readonly maxPayloadBytes?: number;
  /** Time from publisher to subscriber, ms. Default 0: the next turn. Replaced by {@link Network.link} when that is set. */
  readonly latencyMs?: number | ((from: string, to: string, subject: string) => number);
  /** Picks the member of a queue group. Default: by turns. */
  readonly random?: Random;
  /** Bytes under way between two clients beyond which messages are lost (`slow-consumer`). Default 64 MiB, NATS's own. */
  readonly pendingBytesMax?: number;
  /**
   * Whether published bytes are copied, so that a publisher who goes on with its buffer against the rules does no harm. Default true.
   */
  readonly copies?: boolean;
  /**
   * Whether what actors say is handed over as it is ({@link Bus.valuesTo}) rather than encoded and decoded as on NATS. Default
   * false. Sizes are estimates then. What is said on one subject is alike: it is weighed
   * every five seconds at most. `frozen`: whoever changes what was published gets a TypeError, for tests.
   */
  readonly values?: boolean | 'frozen';
  /** Time that an operation on a bucket takes, ms. Default 0. */
  readonly storageLatencyMs?: number;
}

/**
 * An in-process NATS: clients that meet on subjects, and the faults that befall them. Deliveries never happen inside publish,
 * each is a timer of `clock`; order between two clients is kept. Published bytes are copied once, so a publisher may go on
 * with its buffer (unless `copies` is off); what arrives is shared by all receivers, who must not write to it.
 */
export interface Network {
  /** A new client. @throws TypeError when an open one has this name */
  connect(name: string): Bus;
  /** Asked about each packet when set: the seam for delay, loss, duplication and one-way cuts. */
  link: LinkPolicy | undefined;
  /** Whether buckets can be used; turned off, every operation on one fails as when JetStream is away. */
  storageAvailable: boolean;
  /** Cuts one client off; what is under way to it is lost. */
  disconnect(name: string): void;
  /** It is back with its subscriptions. */
  reconnect(name: string): void;
  /** The whole server stops: all are cut off, buckets in memory are gone, the others stay. */
  stop(): void;
  /**
   * The answer, to be called while the server is stopped, takes buckets back to now: writes that were acknowledged since are lost, as after
   * a power failure before they were synced to the disk. `loses` says which journals and object stores go back as well: each is synced by itself.
   */
  storageImage(): (loses?: (name: string) => boolean) => void;
  /** It is back, and so is everybody who wasn't cut off by {@link disconnect}. */
  start(): void;
}

/** Ways that a client keeps. */
const WAYS_MAX = 4096;
/** What is said on one subject is alike: it isn't weighed more often than this. */
const WEIGH_MS = 5000;

function put({ to, link }: Leg, letter: Letter, delayMs: number): void {
  if (!link.send(new Delivery(to, letter), delayMs)) to.client.tell('slow-consumer');
}

export const createNetwork = (options: NetworkOptions): Network => new LocalNetwork(options);

class LocalNetwork implements Network, Hub {
  readonly clock: Clock;
  readonly maxPayloadBytes: number;
  readonly storage: Storage;
  readonly values: boolean;
  link: LinkPolicy | undefined;
  readonly #latencyMs: number | ((from: string, to: string, subject: string) => number);
  readonly #random: Random | undefined;
  readonly #pendingBytesMax: number;
  readonly #copies: boolean;
  readonly #freezes: boolean;
  readonly #table = new RoutingTable<LocalSubscription>();
  readonly #clients = new Map<string, { bus: LocalBus; subscriptions: Set<LocalSubscription>; cutOff: boolean }>();
  readonly #links = new Map<string, Map<string, Link>>();
  readonly #turns = new Map<string, number>();
  #running = true;
  #connects = 0;
  /** Of subscriptions and links. */
  #changes = 0;

  constructor(options: NetworkOptions) {
    const { latencyMs = 0 } = options;
    this.clock = options.clock;
    this.maxPayloadBytes = options.maxPayloadBytes ?? MAX_PAYLOAD_BYTES;
    this.storage = new Storage(options.clock, options.storageLatencyMs ?? 0);
    this.#latencyMs = latencyMs;
    this.#random = options.random;
    this.#pendingBytesMax = options.pendingBytesMax ?? PENDING_BYTES_MAX;
    this.#copies = options.copies ?? true;
    const { values = false } = options;
    this.values = values !== false;
    this.#freezes = values === 'frozen';
  }

  connect(name: string): Bus {
    if (this.#clients.has(name)) throw new TypeError(`${name} is connected already: names are addresses of links`);
    const bus = new LocalBus(name, `_INBOX.${this.#connects++}`, this, this.#running);
    this.#clients.set(name, { bus, subscriptions: new Set(), cutOff: false });
    return bus;
  }

  get storageAvailable(): boolean {
    return this.storage.available;
  }
  set storageAvailable(available: boolean) {
    this.storage.setAvailable(available);
  }

  storageImage(): (loses?: (name: string) => boolean) => void {
    return this.storage.image();
  }

  disconnect(name: string): void {
    this.#client(name).cutOff = true;
    this.#goneFrom(name);
  }

  reconnect(name: string): void {
    this.#client(name).cutOff = false;
    if (this.#running) this.#backAt(name);
  }

  stop(): void {
    this.#running = false;
    this.storage.loseMemory();
    for (const name of this.#clients.keys()) this.#goneFrom(name);
  }

  start(): void {
    this.#running = true;
    for (const [name, { cutOff }] of this.#clients) if (!cutOff) this.#backAt(name);
  }

  add(subscription: LocalSubscription): void {
    const { name } = subscription.client;
    this.#changes++;
    this.#client(name).subscriptions.add(subscription);
    if (subscription.client.connected) this.#table.add(subscription);
  }

  remove(subscription: LocalSubscription): void {
    this.#changes++;
    this.#clients.get(subscription.client.name)?.subscriptions.delete(subscription);
    this.#table.remove(subscription);
  }

  leave(client: LocalBus): void {
    this.#changes++;
    this.#clients.delete(client.name);
    this.#cutLinksTo(client.name);
    this.#links.delete(client.name);
  }

  send(
    from: LocalBus,
    subject: string,
    data: Uint8Array,
    headers: Headers | undefined,
    reply: string | undefined,
  ): StoreOutcome | undefined {
    assertPublishable(subject);
    if (headers) assertHeaders(headers);
    const bytes = data.byteLength + (headers ? headerBytes(headers) : 0);
    this.#assertFits(subject, bytes);
    if (!from.connected) return undefined;
    const way = this.#found(this.wayOf(from, subject));
    if (way.isEmpty && reply !== undefined) this.#answerNobodyListens(from, reply);
    if (way.isEmpty && !this.storage.captures(subject)) return undefined;
    const own = this.#copies ? new Uint8Array(data) : data;
    return this.#spread(way, {
      subject,
      value: undefined,
      data: own,
      headers: headers && Object.freeze({ ...headers }),
      reply,
      bytes,
    });
  }

  readonly #sendValue = (way: Way, value: unknown): void => {
    if (this.#freezes) freeze(value);
    const nowMs = this.clock.nowMs();
    if (nowMs - way.weighedAtMs >= WEIGH_MS) {
      way.weighedAtMs = nowMs;
      way.bytes = weigh(value);
    }
    const letter = new ValueLetter(way.subject, value, way.bytes);
    // Estimated: where it may matter, it is encoded to be sure.
    if (2 * letter.bytes > this.maxPayloadBytes) this.#assertFits(way.subject, letter.data.byteLength);
    if (way.from.connected) this.#spread(this.#found(way), letter);
  };

  wayOf(from: LocalBus, subject: string): Way {
    let way = from.ways.get(subject);
    if (way) return way;
    assertPublishable(subject);
    way = new Way(from, subject, this.#sendValue);
    if (from.ways.size >= WAYS_MAX) from.ways.clear();
    from.ways.set(subject, way);
    return way;
  }

  /** Looked for again where somebody came or went. */
  #found(way: Way): Way {
    if (way.changes === this.#changes) return way;
    const { plain, groups } = this.#table.route(way.subject);
    const legTo = (to: LocalSubscription): Leg => ({ to, link: this.#linkOf(way.from.name, to.client.name) });
    way.plain = plain.map(legTo);
    way.groups = groups.map(({ queue, members }) => ({ queue, members: members.map(legTo) }));
    way.changes = this.#changes;
    return way;
  }

  #assertFits(where: string, bytes: number): void {
    if (bytes > this.maxPayloadBytes) throw new PayloadTooLargeError({ where, bytes, maxBytes: this.maxPayloadBytes });
  }

  #spread({ from: { name }, plain, groups }: Way, letter: Letter): StoreOutcome | undefined {
    for (const leg of plain) this.#carry(name, leg, letter);
    for (const { queue, members } of groups) this.#carry(name, this.#pick(queue, members), letter);
    return this.storage.capture(letter);
  }

  #carry(from: string, leg: Leg, letter: Letter): void {
    if (this.link) {
      const { subject, bytes } = letter;
      for (const delayMs of this.link({ from, to: leg.to.client.name, subject, bytes })) put(leg, letter, delayMs);
    } else {
      const delayMs = this.#latencyMs;
      put(leg, letter, typeof delayMs === 'number' ? delayMs : delayMs(from, leg.to.client.name, letter.subject));
    }
  }

  /** The network's own answer, back over the asker's link to itself. */
  #answerNobodyListens(asker: LocalBus, reply: string): void {
    const { plain } = this.#found(this.wayOf(asker, reply));
    const letter = {
      subject: reply,
      value: undefined,
      data: NO_DATA,
      headers: NO_RESPONDERS,
      reply: undefined,
      bytes: 0,
    };
    for (const leg of plain) if (leg.to.client === asker) this.#carry(asker.name, leg, letter);
  }

  #pick(queue: string, members: readonly Leg[]): Leg {
    if (members.length === 1) return members[0]!;
    if (this.#random) return members[Math.floor(this.#random.next() * members.length)]!;
    const turn = this.#turns.get(queue) ?? 0;
    this.#turns.set(queue, turn + 1);
    return members[turn % members.length]!;
  }

  #client(name: string) {
    const client = this.#clients.get(name);
    if (!client) throw new TypeError(`nobody is connected as ${name}`);
    return client;
  }

  #goneFrom(name: string): void {
    const { bus, subscriptions } = this.#client(name);
    this.#changes++;
    for (const subscription of subscriptions) this.#table.remove(subscription);
    bus.setConnected(false);
    this.#cutLinksTo(name);
  }

  #backAt(name: string): void {
    const { bus, subscriptions } = this.#client(name);
    if (bus.connected) return;
    this.#changes++;
    for (const subscription of subscriptions) this.#table.add(subscription);
    bus.setConnected(true);
  }

  #cutLinksTo(name: string): void {
    for (const links of this.#links.values()) {
      links.get(name)?.cut();
      links.delete(name);
    }
  }

  #linkOf(from: string, to: string): Link {
    let links = this.#links.get(from);
    if (!links) this.#links.set(from, (links = new Map()));
    let link = links.get(to);
    if (!link) links.set(to, (link = new Link(this.clock, this.#pendingBytesMax)));
    return link;
  }
}

/** All of it, but for binary data, which can't be frozen. */
function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const part of Object.values(value)) freeze(part);
}
