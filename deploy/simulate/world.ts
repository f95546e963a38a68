import { startActor, type AnyActor, type RunningActor } from '../../actors/actor/index.ts';
import { allocator } from '../../actors/allocator/index.ts';
import { gpuHost } from '../../actors/gpu-host/index.ts';
import { prefixBatcher } from '../../actors/prefix-batcher/index.ts';
import { queryRouter } from '../../actors/query-router/index.ts';
import { createNetwork, encodeJson, VirtualClock, type Network } from '../../bus/index.ts';
import {
  DEFAULT_PREFIX,
  seededRandom,
  type Bus,
  type Clock,
  type Imaging,
  type Log,
  type Profile,
} from '../../contracts/index.ts';
import { openEmulatedDevice } from '../../gpu-host/index.ts';
import type { OwnPolicies } from './policies.ts';
import { tell, type Told } from './store.ts';

const CROP_BYTES_MIN = 16;
const CROP_BYTES_MAX = 8000;

/** Crops that are not cut: as many bytes as there are pixels, up to a bound. */
function emulatedImaging(bytesMax: number): Imaging {
  const nothing = new Uint8Array(bytesMax);
  return {
    size: () => ({ width: 640, height: 360 }),
    crop: (_picture, regions) =>
      regions.map(({ width, height }) => {
        const bytes = Math.min(bytesMax, Math.max(CROP_BYTES_MIN, Math.round(width * height)));
        return { encoding: 'jpeg' as const, data: nothing.subarray(0, bytes) };
      }),
  };
}

export interface WorldOptions {
  readonly seed: number;
  /** Of a message between two clients; default 0.2. */
  readonly latencyMs?: number | (() => number);
  /** Size of a picture that is cut out, at most; default 8000. */
  readonly cropBytesMax?: number;
  /** Every message is checked before it is sent: for tests. */
  readonly checkOutgoing?: boolean;
  /** Policies of a user's, by what the configuration calls them. */
  readonly own?: OwnPolicies;
  /** How messages are handed over: as they are (default), encoded and decoded as on NATS, or frozen. All three come to the same. */
  readonly messages?: 'values' | 'encoded' | 'frozen';
  readonly onLog?: (level: 'info' | 'warn' | 'error', actor: string, message: string, facts: object) => void;
}

export interface HostOptions {
  readonly kind?: string;
  readonly memoryMB?: number;
  /** CPU cores beside the device. */
  readonly cores?: number | undefined;
  readonly config?: object;
  /** By id of a model or part: what it takes there. The others take what their manifests say. */
  readonly profiles?: ReadonlyMap<string, Profile>;
  /** Times that batches take what they should. */
  readonly slowness?: () => number;
}

/** Where a process stands in time and on the bus, when that isn't where everybody does. */
interface Standing {
  readonly clock?: Clock;
  readonly bus?: (bus: Bus) => Bus;
}

/** A whole cluster in one process, on virtual time: the production actors, the in-process bus, emulated devices. */
export class World {
  readonly clock = new VirtualClock();
  readonly network: Network;
  /** A client of its own, for those who look on. */
  readonly admin: Bus;
  readonly #options: WorldOptions;
  readonly #actors = new Map<string, { readonly running: RunningActor; readonly bus: Bus }>();
  #started = 0;
  #fault: { readonly error: unknown } | undefined;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { latencyMs = 0.2, messages = 'values' } = options;
    const values = messages === 'frozen' ? messages : messages === 'values';
    // Actors never touch again what they have published.
    this.network = createNetwork({ clock: this.clock, latencyMs, copies: false, values });
    this.admin = this.network.connect('admin');
  }

  /** Starts an actor and waits, in virtual time, until it runs. */
  async start(definition: AnyActor, id: string, config: object = {}): Promise<RunningActor> {
    return this.clock.settle(this.launch(definition, id, config), 120_000);
  }

  /** Starts an actor; it runs when the clock has gone on a little. */
  async launch(definition: AnyActor, id: string, config: object = {}, standing: Standing = {}): Promise<RunningActor> {
    const { seed, onLog = () => {}, checkOutgoing = false } = this.#options;
    const say =
      (level: 'info' | 'warn' | 'error') =>
      (message: string, facts: object = {}): void =>
        onLog(level, id, message, facts);
    const log: Log = { debug: () => {}, info: say('info'), warn: say('warn'), error: say('error') };
    const connection = this.network.connect(id);
    const running = await startActor(definition, {
      bus: standing.bus?.(connection) ?? connection,
      clock: standing.clock ?? this.clock,
      random: seededRandom(seed * 1000 + this.#started++),
      log,
      id,
      config,
      checkOutgoing,
    });
    void running.ended.then(ending => {
      if (ending.how === 'crashed') this.#fault ??= { error: ending.error };
    });
    this.#actors.set(id, { running, bus: connection });
    return running;
  }

  /** A GPU host with an emulated device. */
  async launchHost(id: string, options: HostOptions = {}, standing: Standing = {}): Promise<RunningActor> {
    const { kind, memoryMB = 4000, cores, config = {}, profiles, slowness = () => 1 } = options;
    const { seed } = this.#options;
    const clock = standing.clock ?? this.clock;
    const around = { clock, random: seededRandom(seed), slowness, ...(profiles ? { profiles } : {}) };
    const device = {
      kind: 'emulated',
      memoryMB,
      ...(kind === undefined ? {} : { name: kind }),
      ...(cores === undefined ? {} : { cores }),
    } as const;
    const definition = gpuHost({ openDevice: async () => openEmulatedDevice(device, around) });
    return this.launch(definition, id, { ...config, device }, standing);
  }

  async host(id: string, options: HostOptions = {}): Promise<RunningActor> {
    return this.clock.settle(this.launchHost(id, options), 120_000);
  }
  router(id: string, config: object = {}): Promise<RunningActor> {
    const imaging = emulatedImaging(this.#options.cropBytesMax ?? CROP_BYTES_MAX);
    return this.start(queryRouter({ imaging }), id, config);
  }
  batcher(id: string, config: object = {}): Promise<RunningActor> {
    return this.start(prefixBatcher({ policies: this.#options.own?.dispatch ?? {} }), id, config);
  }
  allocator(id: string, config: object = {}): Promise<RunningActor> {
    return this.start(allocator({ policies: this.#options.own?.packing ?? {} }), id, config);
  }

  /** As a crash would: the actor says nothing more and its connection is gone. One that is gone already stays so. */
  crash(id: string): void {
    const actor = this.#actors.get(id);
    if (!actor) return;
    actor.running.kill();
    void actor.bus.close();
    this.#actors.delete(id);
  }

  runs(id: string): boolean {
    return this.#actors.has(id);
  }

  /** In good order. */
  async stop(id: string): Promise<void> {
    const { running, bus } = this.#actors.get(id)!;
    await this.clock.settle(running.stop());
    void bus.close();
    this.#actors.delete(id);
  }

  async tell(told: Told): Promise<void> {
    await this.clock.settle(tell(this.admin, told));
  }

  /** Sends a wish to the leading allocator, as `ganglion drain` does. */
  async ask(subject: string, message: object): Promise<unknown> {
    const { data } = await this.clock.settle(
      this.admin.request(`${DEFAULT_PREFIX}.${subject}`, encodeJson(message), { timeoutMs: 5000 }),
    );
    return JSON.parse(new TextDecoder().decode(data));
  }

  /** @throws what an actor crashed with */
  checkAlive(): void {
    if (this.#fault) throw this.#fault.error;
  }

  async stopAll(): Promise<void> {
    for (const { running } of [...this.#actors.values()].toReversed()) running.kill();
  }
}
