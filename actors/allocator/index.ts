import {
  intBetween,
  NotFoundError,
  RefusedError,
  subjects,
  type DrainReply,
  type DrainRequest,
  type Plan,
  type Subscription,
} from '../../contracts/index.ts';
import type { PolicyEntry } from '../../allocator/index.ts';
import { actor, type ActorContext } from '../actor/index.ts';
import { Catalog } from './catalog.ts';
import { AllocatorConfig } from './config.ts';
import { Director } from './director.ts';
import { Lease } from './lease.ts';
import { planningOf, type AllocatorPorts } from './policy.ts';
import { Shelf } from './shelf.ts';

export { AllocatorConfig } from './config.ts';

interface State {
  director: Director;
  lease: Lease;
  catalog: Catalog;
  shelf: Shelf;
  /** What only the leader answers. */
  services: Subscription[];
  /** The newest plan heard of, from whomever. */
  heard: Plan | undefined;
  /** Nonce of the latest leader heard while standing by: any other one that is heard while leading took the lease later. */
  leaderBefore: string;
  /** When this allocator last heard its own beat: then messages come through. */
  echoAtMs: number;
}
type Ctx = ActorContext<AllocatorConfig, State>;

const ORDER_TIMEOUT_MS = 2000;
const TICK_MS = 250;
/** Own beats come each second; later than this, the bus doesn't carry. */
const ECHO_MS = 2500;

/**
 * The control plane: watches rates, hosts and queries, plans epochs and puts them in force. One leads, the others
 * stand by.
 */
export const allocator = (ports: AllocatorPorts = {}) =>
  actor({
    name: 'allocator',
    version: '0.1.0',
    description: 'Plans which host holds which models, and moves them without requests noticing.',
    config: AllocatorConfig,
    state: (): State => ({}) as State, // filled by `start`, before anything else runs
    start: async ctx => {
      build(ctx, await planningOf(ctx.config.policy, ports, error => ctx.crash(error)));
      ctx.state.catalog.follow();
      // `every` begins one period later; a lone allocator should lead at once.
      ctx.after(0, () => ctx.spawn('lease', () => ctx.state.lease.tick()));
    },
    on: {
      hostBeats: { handle: (ctx, beat, { params }) => ctx.state.director.hearHost(params.host, beat) },
      routerBeats: { handle: (ctx, beat, { params }) => ctx.state.director.hearRouter(params.router, beat) },
      batcherBeats: { handle: (ctx, beat, { params }) => ctx.state.director.hearBatcher(params.batcher, beat) },
      allocatorBeats: {
        handle: (ctx, beat, { params }) => {
          const { director, lease } = ctx.state;
          if (params.allocator === ctx.id) ctx.state.echoAtMs = ctx.clock.nowMs();
          else if (beat.role === 'leader' && director.leads) {
            lease.doubt(beat.nonce !== ctx.state.leaderBefore || beat.epoch > (director.inForce?.epoch ?? 0));
          } else if (beat.role === 'leader') ctx.state.leaderBefore = beat.nonce;
        },
      },
      plans: {
        handle: (ctx, plan) => {
          const { state } = ctx;
          if (!state.heard || plan.epoch > state.heard.epoch) state.heard = plan;
        },
      },
    },
    every: {
      lease: { everyMs: ctx => ctx.config.leaseMs / 3, run: ctx => ctx.state.lease.tick() },
      look: {
        everyMs: TICK_MS,
        run: ctx => {
          if (hears(ctx)) ctx.state.director.tick();
          else ctx.state.director.cluster.excuse(ctx.clock.nowMs());
        },
      },
      beat: {
        everyMs: 1000,
        run: ctx => {
          beat(ctx);
          const { director } = ctx.state;
          if (director.announced) ctx.publish(subjects.plans, {}, director.announced);
        },
      },
    },
    reconnected: ctx => {
      ctx.state.director.cluster.excuse(ctx.clock.nowMs());
      ctx.spawn('lease', () => ctx.state.lease.tick());
    },
    stop: async ctx => {
      ctx.state.catalog.stop();
      ctx.state.director.depose('stopping');
      await ctx.state.lease.release();
    },
  });

/** Whether silence of others means something: this allocator hears at least itself. */
const hears = (ctx: Ctx): boolean => ctx.bus.connected && ctx.clock.nowMs() - ctx.state.echoAtMs <= ECHO_MS;

function build(ctx: Ctx, planning: PolicyEntry): void {
  const { state, config, clock, log } = ctx;
  state.services = [];
  state.heard = undefined;
  state.leaderBefore = '';
  state.echoAtMs = clock.nowMs();
  const keyValue = (bucket: string) => ctx.keyValue(bucket);
  const spawn = (what: string, work: () => Promise<void>): void => ctx.spawn(what, work);
  state.shelf = new Shelf({ log, keyValue });
  state.catalog = new Catalog({
    log,
    prefixes: config.prefixes,
    keyValue,
    after: (delayMs, fn) => void ctx.after(delayMs, fn),
    spawn,
    changed: what => state.director.catalogChanged(what),
  });
  state.director = new Director({
    clock,
    log,
    config,
    planning,
    catalog: state.catalog,
    shelf: state.shelf,
    after: (delayMs, fn) => ctx.after(delayMs, fn),
    spawn,
    send: (host, order) => ctx.request(subjects.orders, { host }, order, { timeoutMs: ORDER_TIMEOUT_MS }),
    publish: plan => void ctx.publish(subjects.plans, {}, plan),
    changed: () => beat(ctx),
    doubt: () => state.lease.doubt(),
    nextEpoch: epoch => state.lease.nextEpoch(epoch),
  });
  state.lease = new Lease({
    id: ctx.id,
    leaseMs: config.leaseMs,
    clock,
    log,
    bucket: () => ctx.keyValue('plan'),
    newNonce: () => `${ctx.id}-${intBetween(ctx.random, 0, 0xffff_ffff).toString(16).padStart(8, '0')}`,
    reachable: () => hears(ctx),
    heardEpoch: () => Math.max(state.heard?.epoch ?? 0, state.director.cluster.highestEpoch()),
    won: nonce => ctx.spawn('taking over', () => takeOver(ctx, nonce)),
    claimed: () => state.director.claimed(),
    lost: reason => {
      log.warn('no longer the leader', { reason });
      for (const service of state.services.splice(0)) service.unsubscribe();
      state.director.depose(reason);
    },
  });
}

async function takeOver(ctx: Ctx, nonce: string): Promise<void> {
  const { state } = ctx;
  const stored = await state.shelf.read();
  if (!state.lease.leads) return;
  const { heard } = state;
  const inForce = heard && heard.epoch > (stored?.epoch ?? 0) ? heard : stored;
  ctx.log.info('leading', { nonce, epoch: inForce?.epoch ?? 0 });
  state.director.lead(nonce, inForce);
  state.services.push(
    ctx.listen(subjects.drain, {}, request => drain(ctx, request)),
    ctx.listen(subjects.currentPlan, {}, () => ({ v: 1, plan: state.director.announced ?? null })),
  );
  beat(ctx);
}

async function drain(ctx: Ctx, { host, force = false, withinMs }: DrainRequest): Promise<DrainReply> {
  const { director, catalog, shelf } = ctx.state;
  const beat = director.cluster.hosts.get(host)?.beat;
  if (!beat)
    throw new NotFoundError(
      `host ${host}`,
      `hosts that are up: ${[...director.cluster.hosts.keys()].join(', ') || 'none'}`,
    );
  if (!catalog.draining.has(host)) {
    const lost = director.without(host);
    if (lost.length > 0 && !force && withinMs === undefined) {
      throw new RefusedError(`without ${host} the others can't serve ${lost.join('; ')}; add a host, or use force`);
    }
    catalog.draining.add(host);
    try {
      await shelf.wish(host);
    } catch (error) {
      ctx.log.warn('the wish could not be stored: a new leader would not know of it', { host, error: String(error) });
    }
    director.replan(`${host} is to be drained`, true);
  }
  if (withinMs !== undefined) director.leaveWithin(host, withinMs);
  const count = beat.residents.length;
  const when = withinMs === undefined ? 'then it leaves' : `and it leaves within ${withinMs / 1000} s`;
  return {
    v: 1,
    host,
    detail: `${count} ${count === 1 ? 'model moves' : 'models move'} away from ${host}, ${when}`,
  };
}

function beat(ctx: Ctx): void {
  const { director } = ctx.state;
  const { leads, phase, inForce } = director;
  const { epochs, modelsMoved, waitingFor, avoiding, detail } = director.report;
  ctx.publish(
    subjects.allocatorBeats,
    { allocator: ctx.id },
    {
      v: 1,
      role: leads ? 'leader' : 'standby',
      nonce: leads ? director.nonce : '',
      phase,
      epoch: (leads ? inForce?.epoch : ctx.state.heard?.epoch) ?? 0,
      epochs: leads ? epochs : 0,
      modelsMoved,
      waitingFor: waitingFor.slice(0, 64).map(what => what.slice(0, 256)),
      ...(leads && avoiding.length > 0 ? { avoiding: [...avoiding] } : {}),
      detail: detail.slice(0, 1024),
      ...ctx.vitals(),
    },
  );
}
