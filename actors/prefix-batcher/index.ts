import { decodeJson } from '../../bus/index.ts';
import {
  BUCKETS,
  ConfigError,
  describeError,
  Plan,
  subjects,
  validator,
  type Cancel,
  type Subscription,
} from '../../contracts/index.ts';
import { actor, coalesce, type ActorContext } from '../actor/index.ts';
import { Batcher } from './batcher.ts';
import { BatcherConfig } from './config.ts';
import type { Invocation } from './invocation.ts';
import { ourPolicies, type PolicyFactory } from './policy/index.ts';
import type { Pool } from './pool.ts';

export { BatcherConfig } from './config.ts';
export * from './policy/index.ts';

const isPlan = validator(Plan);
/** Timers of platforms have bounds; one that fires too early does no harm. */
const ALARM_MS_MAX = 60_000;
const PLAN_TIMEOUT_MS = 2000;
/** How long offers to a pool that no longer exists are still sent back. */
const LINGER_MS = 5000;

interface State {
  batcher: Batcher | undefined;
  /** By pool. */
  readonly ears: Map<string, Subscription[]>;
  readonly alarms: Map<Pool<Invocation>, { readonly atMs: number; readonly cancel: Cancel }>;
  /** Says what was decided and sets the wake-ups, once all that came in this turn has been considered. */
  finishTurn: () => void;
}
type Context = ActorContext<BatcherConfig, State>;

/** The scheduler of the pools that the plan puts it in charge of. `policies`: your own, beside hybrid, eager and deferred. */
export const prefixBatcher = (ports: { readonly policies?: Readonly<Record<string, PolicyFactory>> } = {}) =>
  actor({
    name: 'prefix-batcher',
    version: '1.0.0',
    description: 'Forms batches from what routers offer and binds them to hosts as late as possible.',
    config: BatcherConfig,
    state: (): State => ({ batcher: undefined, ears: new Map(), alarms: new Map(), finishTurn: () => {} }),
    start: ctx => begin(ctx, { ...ourPolicies, ...ports.policies }),
    reconnected: readPlan,
    on: {
      plans: { handle: follow },
      hostBeats: {
        handle: (ctx, beat, { params }) => {
          ctx.state.batcher?.beat(params.host, beat);
          ctx.state.finishTurn();
        },
      },
      progress: {
        at: ctx => ({ batcher: ctx.id }),
        handle: (ctx, progress) => {
          ctx.state.batcher?.progress(progress);
          ctx.state.finishTurn();
        },
      },
    },
    every: {
      beat: {
        everyMs: 1000,
        run: ctx => {
          ctx.state.batcher?.tick();
          ctx.state.finishTurn();
          beat(ctx);
        },
      },
    },
    stop: ({ state }) => {
      state.batcher?.handBack();
      state.batcher?.send();
    },
  });

function begin(ctx: Context, policies: Readonly<Record<string, PolicyFactory>>): void {
  const { id, config, clock, random, log, state } = ctx;
  const policy = Object.hasOwn(policies, config.policy) ? policies[config.policy] : undefined;
  if (!policy) {
    throw new ConfigError(`"${config.policy}" is no policy`, {
      field: 'prefix-batcher config.policy',
      remedy: `use one of: ${Object.keys(policies).join(', ')}`,
    });
  }
  state.batcher = new Batcher({
    id,
    config,
    policy,
    clock,
    random,
    log,
    post: {
      verdicts: (router, message) => void ctx.publish(subjects.verdicts, { router }, message),
      outline: (host, message) => void ctx.publish(subjects.outlines, { host }, message),
    },
  });
  state.finishTurn = coalesce(() => {
    try {
      state.batcher?.send();
      setAlarms(ctx);
    } catch (error) {
      ctx.crash(error);
    }
  });
  readPlan(ctx);
}

/** The plan in force: from the bucket, else from the leader; else the next one published, which is at most a second away. */
function readPlan(ctx: Context): void {
  ctx.spawn('reading the plan', async () => {
    try {
      const entry = await (await ctx.keyValue(BUCKETS.plan)).get('current');
      if (entry?.value) return follow(ctx, isPlan.check(decodeJson(entry.value), 'bucket plan, key current'));
    } catch (error) {
      ctx.log.warn('the stored plan can not be read, asking the leader', { error: describeError(error) });
    }
    try {
      const { plan } = await ctx.request(subjects.currentPlan, {}, { v: 1 }, { timeoutMs: PLAN_TIMEOUT_MS });
      if (plan) follow(ctx, plan);
    } catch (error) {
      ctx.log.info('no plan yet, waiting for one', { error: describeError(error) });
    }
  });
}

function follow(ctx: Context, plan: Plan): void {
  const { batcher } = ctx.state;
  if (!batcher?.follow(plan)) return;
  listenTo(ctx, plan);
  ctx.state.finishTurn();
  beat(ctx);
  ctx.log.info('following a plan', { epoch: plan.epoch, pools: [...batcher.pools].map(pool => pool.name) });
}

/** Hears what is said to the pools in charge; and to those that are gone, for a while, to send offers back at once. */
function listenTo(ctx: Context, plan: Plan): void {
  const { ears, batcher } = ctx.state;
  const pools = new Set([...(batcher?.pools ?? [])].map(pool => pool.name));
  for (const pool of pools) {
    if (ears.has(pool)) continue;
    const handled = (run: () => void): void => {
      run();
      ctx.state.finishTurn();
    };
    ears.set(pool, [
      ctx.listen(subjects.offers, { at: { pool } }, offers => handled(() => batcher?.offers(pool, offers))),
      ctx.listen(subjects.withdrawals, { at: { pool } }, message => handled(() => batcher?.withdraw(message))),
    ]);
  }
  const planned = new Set(plan.pools.map(({ pool }) => pool));
  for (const pool of ears.keys()) {
    if (pools.has(pool)) continue;
    if (planned.has(pool)) fallSilent(ctx, pool);
    else ctx.after(LINGER_MS, () => inCharge(ctx, pool) || fallSilent(ctx, pool));
  }
}

const inCharge = (ctx: Context, pool: string): boolean =>
  [...(ctx.state.batcher?.pools ?? [])].some(({ name }) => name === pool);

function fallSilent(ctx: Context, pool: string): void {
  for (const subscription of ctx.state.ears.get(pool) ?? []) subscription.unsubscribe();
  ctx.state.ears.delete(pool);
}

/** One wake-up for each pool. One that comes too early does no harm: it finds nothing to do and sets the next. */
function setAlarms(ctx: Context): void {
  const { alarms, batcher } = ctx.state;
  const pools = new Set(batcher?.pools);
  for (const [pool, { cancel }] of alarms) {
    if (pools.has(pool)) continue;
    cancel();
    alarms.delete(pool);
  }
  for (const pool of pools) {
    const set = alarms.get(pool);
    const atMs = pool.wakeAtMs;
    if (atMs === Infinity || (set && set.atMs <= atMs)) continue;
    set?.cancel();
    const delayMs = Math.min(ALARM_MS_MAX, Math.max(0, atMs - ctx.clock.nowMs()));
    const cancel = ctx.after(delayMs, () => {
      alarms.delete(pool);
      batcher?.wake(pool);
      ctx.state.finishTurn();
    });
    alarms.set(pool, { atMs, cancel });
  }
}

function beat(ctx: Context): void {
  const { batcher } = ctx.state;
  if (!batcher) return;
  ctx.publish(subjects.batcherBeats, { batcher: ctx.id }, { v: 1, ...batcher.report(), ...ctx.vitals() });
}
