import { actor, startActor, type ActorContext, type AnyActor, type RunningActor } from '../../actors/actor/index.ts';
import { allocator } from '../../actors/allocator/index.ts';
import { createNetwork, encodeJson, VirtualClock } from '../../bus/index.ts';
import {
  bucketName,
  BUCKETS,
  DEFAULT_PREFIX,
  seededRandom,
  subjects,
  Type,
  type AllocatorBeat,
  type Bus,
  type HostBeat,
  type KeyValue,
  type Order,
  type Plan,
  type QueryDocument,
  type Resident,
} from '../../contracts/index.ts';

const MB = 1e6;
const VITALS = { rssBytes: 0, loopDelayP99Ms: 0 };

export interface FakeModel {
  readonly alphaMs: number;
  readonly betaMs: number;
  readonly persistentMB: number;
  readonly ephemeralMB: number;
}

/** What a host in these tests does besides beating and obeying. */
export interface HostManners {
  kind: string;
  memoryMB: number;
  loadMs: number;
  /** Loads are begun and never end. */
  stuck: boolean;
  /** Every load fails with this. */
  breaks: string | undefined;
  /** Obeys nobody for now. */
  busy: boolean;
}

/** A host that keeps books on models instead of loading them, and speaks the real messages. */
export interface HostRole {
  readonly name: string;
  readonly residents: Map<string, Resident>;
  readonly orders: Order[];
  readonly replies: string[];
  readonly manners: HostManners;
  left(): boolean;
  /** As if its process had died. */
  die(): void;
}

/** An allocator's surroundings: network, clock, buckets, and everybody whom it listens to. */
export class Stage {
  readonly clock = new VirtualClock();
  readonly network = createNetwork({ clock: this.clock });
  readonly models = new Map<string, FakeModel>();
  readonly plans: Plan[] = [];
  readonly beats = new Map<string, AllocatorBeat>();
  /** What happened, in order: `gpu-a prepare 1`, `commit 1`, `router-1 follows 1`, `gpu-a release 1`. */
  readonly story: string[] = [];
  readonly actors: RunningActor[] = [];
  readonly rates = new Map<string, number>();
  readonly admin: Bus;

  constructor() {
    this.admin = this.network.connect('admin');
  }

  async start(): Promise<void> {
    const watcher = actor({
      name: 'watcher',
      version: '0.0.0',
      description: 'sees all',
      config: Type.Object({}),
      state: () => ({}),
      on: {
        plans: {
          handle: (_ctx, plan) => {
            const last = this.plans.at(-1);
            if (last && last.epoch === plan.epoch && last.nonce === plan.nonce) return;
            this.plans.push(plan);
            this.story.push(`commit ${plan.epoch}`);
          },
        },
        allocatorBeats: { handle: (_ctx, beat, { params }) => void this.beats.set(params.allocator, beat) },
      },
    });
    await this.run(watcher, 'watcher');
  }

  async allocator(id: string, config: object = {}): Promise<RunningActor> {
    return this.run(allocator(), id, { gatherMs: 1500, ...config });
  }

  async run(definition: AnyActor, id: string, config: object = {}): Promise<RunningActor> {
    const running = await startActor(definition, {
      bus: this.network.connect(id),
      clock: this.clock,
      random: seededRandom(id.length * 7919 + id.charCodeAt(id.length - 1)),
      id,
      config,
      checkOutgoing: true,
    });
    this.actors.push(running);
    return running;
  }

  // ── Roles ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Names of routers that beat, and follow no plan. */
  readonly deaf = new Set<string>();

  async router(id: string): Promise<RunningActor> {
    let epoch = 0;
    const counts = new Map<string, number>();
    const beat = (ctx: ActorContext<unknown, unknown>): void => {
      const stages = [...this.rates].map(([key, rateHz]) => {
        const [tenant, query, stage] = key.split('.') as [string, string, string];
        counts.set(key, (counts.get(key) ?? 0) + Math.round(rateHz));
        return { tenant, query, stage, rateHz, fanout: 1, count: counts.get(key)! };
      });
      const facts = { inFlight: 0, heldBytes: 0, queries: [], duplicates: 0, reoffers: 0, intervalMs: 1000 };
      ctx.publish(subjects.routerBeats, { router: id }, { v: 1, epoch, stages, ...facts, ...VITALS });
    };
    const router = actor({
      name: 'router-role',
      version: '0.0.0',
      description: 'follows plans',
      config: Type.Object({}),
      state: () => ({}),
      start: ctx => beat(ctx),
      on: {
        plans: {
          handle: (ctx, plan) => {
            if (plan.epoch <= epoch || this.deaf.has(id)) return;
            epoch = plan.epoch;
            this.story.push(`${id} follows ${epoch}`);
            beat(ctx);
          },
        },
      },
      every: { beat: { everyMs: 1000, run: ctx => beat(ctx) } },
    });
    return this.run(router, id);
  }

  async batcher(id: string): Promise<RunningActor> {
    let [epoch, nonce] = [0, ''];
    const beat = (ctx: ActorContext<unknown, unknown>): void =>
      void ctx.publish(
        subjects.batcherBeats,
        { batcher: id },
        { v: 1, epoch, nonce, policy: 'role', pools: [], ...VITALS },
      );
    const batcher = actor({
      name: 'batcher-role',
      version: '0.0.0',
      description: 'follows plans',
      config: Type.Object({}),
      state: () => ({}),
      start: ctx => beat(ctx),
      on: {
        plans: {
          handle: (ctx, plan) => {
            if (plan.epoch <= epoch) return;
            [epoch, nonce] = [plan.epoch, plan.nonce];
            this.story.push(`${id} follows ${epoch}`);
            beat(ctx);
          },
        },
      },
      every: { beat: { everyMs: 1000, run: ctx => beat(ctx) } },
    });
    return this.run(batcher, id);
  }

  async host(id: string, given: Partial<HostManners> = {}): Promise<HostRole> {
    const manners: HostManners = {
      kind: 'k',
      memoryMB: 8000,
      loadMs: 200,
      stuck: false,
      breaks: undefined,
      busy: false,
      ...given,
    };
    const role = hostRole(this, id, manners);
    const running = await this.run(role.definition, id);
    return { ...role, name: id, manners, die: () => running.kill() };
  }

  // ── The administrator ─────────────────────────────────────────────────────────────────────────────────────────────

  bucket(name: string): Promise<KeyValue> {
    return this.admin.keyValue(bucketName(DEFAULT_PREFIX, name));
  }

  /** Applies a model; with `profiled`, its profile on these kinds of device is known. */
  async model(name: string, model: Partial<FakeModel> = {}, profiled: readonly string[] = ['k']): Promise<string> {
    const full: FakeModel = { alphaMs: 1, betaMs: 4, persistentMB: 500, ephemeralMB: 10, ...model };
    const id = `${name}@${'0'.repeat(12)}`;
    this.models.set(id, full);
    const document = {
      kind: 'Model',
      name,
      version: '1',
      file: 'm.onnx',
      licence: 'x',
      source: 'x',
      preprocess: { kind: 'tensors' },
      postprocess: { kind: 'tensors' },
      batchMax: 32,
    };
    const stored = { v: 1, id, document, files: {}, bytes: 1 };
    await (await this.bucket(BUCKETS.config)).put(`models.${name}`, encodeJson(stored));
    for (const kind of profiled) await this.profile(id, kind);
    return id;
  }

  async profile(id: string, kind: string): Promise<void> {
    const { alphaMs, betaMs, persistentMB, ephemeralMB } = this.models.get(id)!;
    const points = [1, 2, 4, 8, 16, 32].map(batch => {
      const meanMs = alphaMs * batch + betaMs;
      return { batch, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes: ephemeralMB * batch * MB, repeats: 10 };
    });
    const facts = { persistentBytes: persistentMB * MB, loadMs: 100, preMs: 1, postMs: 1 };
    const profile = { v: 1, model: id, device: kind, emulated: true, points, ...facts };
    const key = `${id.replace('@', '.')}.${kind}`;
    await (await this.bucket(BUCKETS.profiles)).put(key, encodeJson(profile));
  }

  async query(name: string, model: string, facts: Partial<QueryDocument> = {}): Promise<void> {
    const document = { kind: 'Query', name, objectiveMs: 200, rateHz: 20, stages: { one: { model } }, ...facts };
    await (await this.bucket(BUCKETS.config)).put(`queries.default.${name}`, encodeJson(document));
  }

  async unquery(name: string): Promise<void> {
    await (await this.bucket(BUCKETS.config)).delete(`queries.default.${name}`);
  }

  // ── Looking ───────────────────────────────────────────────────────────────────────────────────────────────────────

  get plan(): Plan {
    return this.plans.at(-1)!;
  }

  /** `gpu-a: face, ssd` per host with models, sorted. */
  placement(plan = this.plan): string[] {
    return plan.hosts
      .map(({ host, models }) => `${host}: ${models.map(m => m.model.split('@')[0]).join(', ')}`)
      .toSorted();
  }

  leader(): string | undefined {
    return [...this.beats].find(([, beat]) => beat.role === 'leader')?.[0];
  }

  /** Until the plan holds this and its change of epoch is over. */
  async settled(what: (plan: Plan) => boolean, limitMs = 60_000): Promise<Plan> {
    await this.clock.runUntilTrue(() => {
      const beat = [...this.beats.values()].find(b => b.role === 'leader' && b.epoch === this.plans.at(-1)?.epoch);
      return this.plans.length > 0 && what(this.plan) && beat?.phase === 'observing';
    }, limitMs);
    return this.plan;
  }

  stop(): void {
    for (const running of this.actors) running.kill();
  }
}

export async function stage(t: { teardown(fn: () => void): void }): Promise<Stage> {
  const made = new Stage();
  t.teardown(() => made.stop());
  await made.start();
  return made;
}

function hostRole(stage: Stage, id: string, manners: HostManners) {
  const residents = new Map<string, Resident>();
  const orders: Order[] = [];
  const replies: string[] = [];
  let state: HostBeat['state'] = 'ready';
  let fence = { epoch: 0, nonce: '' };
  const beat = (ctx: ActorContext<unknown, unknown>): void => {
    const { kind, memoryMB } = manners;
    const device = {
      kind,
      provider: 'emulated',
      asked: [],
      tried: [],
      emulated: true,
      memoryBytes: memoryMB * MB,
      threads: 0,
    };
    const counters = {
      freeInMs: 0,
      backlog: 0,
      batches: 0,
      invocations: 0,
      refused: 0,
      dropped: 0,
      failed: 0,
      busyMs: 0,
    };
    const list = [...residents.values()];
    const persistentBytes = list.reduce((sum, r) => sum + r.persistentBytes, 0);
    const ephemeralBytes = Math.max(0, ...list.map(r => r.ephemeralBytes));
    const memory = { persistentBytes, ephemeralBytes };
    if (persistentBytes + ephemeralBytes > device.memoryBytes) stage.story.push(`${id} out of memory`);
    const message: HostBeat = {
      v: 1,
      state,
      incarnation: id,
      device,
      ...fence,
      residents: list,
      ...memory,
      ...counters,
      ...VITALS,
    };
    ctx.publish(subjects.hostBeats, { host: id }, message);
  };
  const definition = actor({
    name: 'host-role',
    version: '0.0.0',
    description: 'obeys orders',
    config: Type.Object({}),
    state: () => ({}),
    start: ctx => beat(ctx),
    every: { beat: { everyMs: 1000, run: ctx => (state === 'left' ? undefined : beat(ctx)) } },
    on: {
      orders: {
        at: () => ({ host: id }),
        handle: (ctx, order) => {
          orders.push(order);
          const rival = order.epoch === fence.epoch && fence.nonce !== '' && fence.nonce !== order.nonce;
          if (order.epoch < fence.epoch || rival) {
            replies.push('fenced');
            return { v: 1, accepted: false, reason: 'fenced', detail: `obeys ${fence.epoch}` } as const;
          }
          if (manners.busy) return { v: 1, accepted: false, reason: 'busy', detail: 'later' } as const;
          fence = { epoch: order.epoch, nonce: order.nonce };
          replies.push('accepted');
          stage.story.push(`${id} ${order.verb} ${order.epoch}`);
          if (order.verb === 'prepare') {
            for (const planned of order.models) {
              const known = stage.models.get(planned.model)!;
              const facts = {
                model: planned.model,
                lane: 0,
                persistentBytes: known.persistentMB * MB,
                ephemeralBytes: known.ephemeralMB * planned.batchMax * MB,
                queued: 0,
              };
              const was = residents.get(planned.model);
              if (was?.state === 'loading') continue;
              if (was?.state === 'resident') {
                residents.set(planned.model, { ...facts, state: 'resident', batches: planned.batches });
                continue;
              }
              residents.set(planned.model, { ...facts, state: 'loading', batches: [] });
              if (manners.stuck) continue;
              ctx.after(manners.loadMs, () => {
                const { breaks } = manners;
                if (breaks === undefined)
                  residents.set(planned.model, { ...facts, state: 'resident', batches: planned.batches });
                else
                  residents.set(planned.model, {
                    ...facts,
                    state: 'failed',
                    batches: [],
                    persistentBytes: 0,
                    detail: breaks,
                  });
                beat(ctx);
              });
            }
          } else if (order.verb === 'release') {
            for (const model of residents.keys()) if (!order.keep.includes(model)) residents.delete(model);
          } else if (order.verb === 'profile') {
            ctx.after(1000, () => ctx.spawn('profile', () => stage.profile(order.model, manners.kind)));
          } else {
            state = 'left';
          }
          beat(ctx);
          return { v: 1, accepted: true } as const;
        },
      },
    },
  });
  return { definition, residents, orders, replies, left: () => state === 'left' };
}
