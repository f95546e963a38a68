import { decodeJson } from '../../bus/index.ts';
import { BUCKETS, ConfigError, describeError, isToken, Plan, subjects, validator } from '../../contracts/index.ts';
import { actor, coalesce, publishers, type ActorContext } from '../actor/index.ts';
import { Alarms } from './alarms.ts';
import { Batcher } from './batcher.ts';
import { BatcherConfig } from './config.ts';
import { Ears } from './ears.ts';
import type { Invocation } from './invocation.ts';
import { checked, ourPolicies, type OwnDispatch, type PolicyFactory } from './policy/index.ts';
import type { Pool } from './pool.ts';

export { BatcherConfig } from './config.ts';
export * from './policy/index.ts';

const isPlan = validator(Plan);
const PLAN_TIMEOUT_MS = 2000;

interface State {
  batcher: Batcher | undefined;
  ears: Ears | undefined;
  /** Says what was decided and sets the wake-ups, once all that came in this turn has been considered. */
  finishTurn: () => void;
  leaving: boolean;
}
type Context = ActorContext<BatcherConfig, State>;

export interface BatcherPorts {
  /** Your own, by name, beside ours. */
  readonly policies?: Readonly<Record<string, OwnDispatch>>;
  /** For `policy: ./mine.ts`. @throws ConfigError */
  readonly loadPolicy?: (path: string) => Promise<OwnDispatch>;
}

/** The scheduler of the pools that the plan puts it in charge of. */
export const prefixBatcher = (ports: BatcherPorts = {}) =>
  actor({
    name: 'prefix-batcher',
    version: '1.0.0',
    description: 'Forms batches from what routers offer and binds them to hosts as late as possible.',
    config: BatcherConfig,
    state: (): State => ({ batcher: undefined, ears: undefined, finishTurn: () => {}, leaving: false }),
    start: async ctx => begin(ctx, await policyOf(ctx, ports)),
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
    stop: ctx => {
      const { state } = ctx;
      state.leaving = true;
      state.batcher?.handBack();
      state.batcher?.send();
      beat(ctx);
    },
  });

/** Ours by name, or a user's, whose decisions are checked. @throws ConfigError */
async function policyOf(ctx: Context, { policies = {}, loadPolicy }: BatcherPorts): Promise<PolicyFactory> {
  const { policy } = ctx.config;
  const known = Object.hasOwn(policies, policy) ? policies[policy] : undefined;
  if (!known && Object.hasOwn(ourPolicies, policy)) return ourPolicies[policy]!;
  const own = known ?? (isToken(policy) ? undefined : await loadPolicy?.(policy));
  if (own) return checked(own, error => ctx.crash(error));
  throw new ConfigError(`"${policy}" is no policy`, {
    field: 'prefix-batcher config.policy',
    remedy: `use one of: ${[...Object.keys(ourPolicies), ...Object.keys(policies)].join(', ')}; or the path of your own, ./mine.ts`,
  });
}

function begin(ctx: Context, policy: PolicyFactory): void {
  const { id, config, clock, random, log, state } = ctx;
  policy(config.policyOptions); // What is wrong with them is said before there is a plan.
  const verdictsTo = publishers(ctx, subjects.verdicts, 'router');
  const outlinesTo = publishers(ctx, subjects.outlines, 'host');
  const batcher = new Batcher({
    id,
    config,
    policy: () => policy(config.policyOptions),
    clock,
    random,
    log,
    post: {
      verdicts: (router, message) => void verdictsTo(router)(message),
      outline: (host, message) => void outlinesTo(host)(message),
    },
  });
  const around = { nowMs: () => clock.nowMs(), alarm: (fn: () => void) => ctx.alarm(fn) };
  const alarms = new Alarms<Pool<Invocation>>(around, pool => {
    batcher.wake(pool);
    state.finishTurn();
  });
  let followed: Plan | undefined;
  state.batcher = batcher;
  state.finishTurn = coalesce(clock, () => {
    try {
      batcher.send();
      if (batcher.plan !== followed) alarms.keep(batcher.pools);
      followed = batcher.plan;
      alarms.set(batcher.pools);
    } catch (error) {
      ctx.crash(error);
    }
  });
  const heard =
    <M>(take: (message: M) => void) =>
    (message: M): void => {
      take(message);
      state.finishTurn();
    };
  state.ears = new Ears({
    after: (delayMs, fn) => void ctx.after(delayMs, fn),
    listen: pool => [
      ctx.listen(
        subjects.offers,
        { at: { pool } },
        heard(offers => batcher.offers(pool, offers)),
      ),
      ctx.listen(
        subjects.withdrawals,
        { at: { pool } },
        heard(message => batcher.withdraw(message)),
      ),
    ],
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
  const { batcher, ears, finishTurn } = ctx.state;
  if (!batcher?.follow(plan)) return;
  const pools = [...batcher.pools].map(pool => pool.name);
  ears?.follow(plan, new Set(pools));
  finishTurn();
  beat(ctx);
  ctx.log.info('following a plan', { epoch: plan.epoch, pools });
}

function beat(ctx: Context): void {
  const { batcher, leaving } = ctx.state;
  if (!batcher) return;
  const report = { ...batcher.report(), ...(leaving ? { leaving } : {}) };
  ctx.publish(subjects.batcherBeats, { batcher: ctx.id }, { v: 1, ...report, ...ctx.vitals() });
}
