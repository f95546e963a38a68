import { BUCKETS, describeError, GanglionError, subjects } from '../../contracts/index.ts';
import type { RouterContext } from './router.ts';

const RETRY_MS = 1000;
/** A start waits for the queries so long; then they come when they come. */
const READY_MS_MAX = 5000;
const PLAN_REQUEST_MS = 1000;

/** Follows the queries as applied. Without storage it tries again each second: what is known stays in service. */
export async function followQueries(ctx: RouterContext, changed: () => void): Promise<void> {
  const { catalog, meters } = ctx.state;
  const ready = new Promise<void>(resolve => {
    ctx.after(READY_MS_MAX, resolve);
    const watch = async (): Promise<void> => {
      try {
        const config = await ctx.keyValue(BUCKETS.config);
        await config.watch(
          'queries.>',
          entry => {
            catalog.learn(entry);
            if (entry.value === undefined) meters.forget(entry.key.slice('queries.'.length));
            changed();
          },
          { onReady: resolve },
        );
      } catch (error) {
        if (!(error instanceof GanglionError)) throw error;
        ctx.log.warn('the queries can not be read, trying again', { error: describeError(error) });
        ctx.after(RETRY_MS, () => ctx.spawn('reading the queries', watch));
        resolve();
      }
    };
    ctx.spawn('reading the queries', watch);
  });
  await ready;
}

/** The plan in force at the start: as stored, else from the leading allocator. Later ones come on `plans`. */
export async function findPlan(ctx: RouterContext): Promise<void> {
  const { catalog } = ctx.state;
  try {
    const bucket = await ctx.keyValue(BUCKETS.plan);
    const entry = await bucket.get('current');
    if (entry?.value && catalog.followStored(entry.value, 'plan/current')) return;
  } catch (error) {
    if (!(error instanceof GanglionError)) throw error;
    ctx.log.warn('the stored plan can not be used, asking the allocator', { error: describeError(error) });
  }
  try {
    const { plan } = await ctx.request(subjects.currentPlan, {}, { v: 1 }, { timeoutMs: PLAN_REQUEST_MS });
    if (plan) ctx.state.takePlan(plan);
  } catch (error) {
    if (!(error instanceof GanglionError)) throw error;
    ctx.log.info('there is no plan yet', { error: describeError(error) });
  }
}
