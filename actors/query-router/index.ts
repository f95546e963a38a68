import { subjects, type Imaging, type Subscription } from '../../contracts/index.ts';
import { actor } from '../actor/index.ts';
import { RouterConfig } from './config.ts';
import { DurableIntake } from './durable/index.ts';
import { findPlan, followQueries } from './following.ts';
import { openIntake } from './intake.ts';
import { Router } from './router.ts';

/**
 * Takes frames and one-off requests, runs the DAG of each query, holds every payload until its request's one outcome,
 * publishes results, reports rates and fan-out (docs/protocol.md).
 */
export const queryRouter = (ports: { readonly imaging: Imaging }) => {
  const intakes = new WeakMap<Router, { subscriptions: Subscription[]; durable: DurableIntake }>();
  return actor({
    name: 'query-router',
    version: '1.0.0',
    description:
      'Runs queries over frames: offers their stages to batchers, sends payloads to hosts, publishes results.',
    config: RouterConfig,
    state: init => new Router(init, ports.imaging),
    on: {
      verdicts: { at: ctx => ({ router: ctx.id }), handle: (ctx, verdicts) => ctx.state.takeVerdicts(verdicts) },
      answers: { at: ctx => ({ router: ctx.id }), handle: (ctx, answers) => ctx.state.takeAnswers(answers) },
      hostBeats: { handle: (ctx, beat, { params }) => ctx.state.takeHostBeat(params.host, beat) },
      batcherBeats: { handle: (ctx, beat) => ctx.state.takeBatcherBeat(beat) },
      plans: { handle: (ctx, plan) => ctx.state.takePlan(plan) },
    },
    every: {
      beat: {
        everyMs: 1000,
        run: ctx => void ctx.publish(subjects.routerBeats, { router: ctx.id }, ctx.state.report()),
      },
      hosts: { everyMs: 250, run: ctx => ctx.state.watchHosts() },
      durable: { everyMs: 5000, run: ctx => intakes.get(ctx.state)?.durable.keepAlive() },
    },
    start: async ctx => {
      ctx.state.attach(ctx);
      const durable = new DurableIntake(ctx);
      await followQueries(ctx, () => durable.follow());
      await findPlan(ctx);
      durable.open();
      intakes.set(ctx.state, { subscriptions: openIntake(ctx), durable });
    },
    reconnected: ctx => ctx.state.reconnected(),
    stop: async ctx => {
      const { subscriptions = [], durable } = intakes.get(ctx.state) ?? {};
      const drained = Promise.all([durable?.close(), ...subscriptions.map(async subscription => subscription.drain())]);
      await ctx.state.idle(ctx.config.stopMs);
      ctx.state.shutdown();
      await drained;
    },
  });
};
