import type { Plan } from '../../contracts/index.ts';
import type { Cluster } from './cluster.ts';
import type { Instruction } from './orders.ts';

/** What has to be said to one host now, and what is waited for. */
export interface Step {
  readonly host: string;
  readonly waitingFor: string;
  readonly order?: Instruction;
  /** It is told later: that it isn't ready is not its fault. */
  readonly queued?: true;
  /** It will not happen. */
  readonly failed?: readonly { readonly model: string; readonly detail: string }[];
}

/** The same, with releases put off. */
export const withoutReleases = (steps: readonly Step[]): Step[] =>
  steps.map(({ order, ...step }) => {
    if (order?.verb === 'release') return { ...step, queued: true };
    return order ? { ...step, order } : step;
  });

/** How many models hosts would have to load. */
export const loadsOf = (plan: Plan, cluster: Cluster): number =>
  plan.hosts.reduce((sum, { host, models }) => {
    const held = cluster.ready(host)?.residents ?? [];
    return sum + models.filter(({ model }) => !held.some(r => r.model === model)).length;
  }, 0);

/** How many models hosts would have to release. */
export const releasesOf = (steps: readonly Step[], cluster: Cluster): number =>
  steps.reduce((sum, { host, order }) => {
    if (order?.verb !== 'release') return sum;
    return sum + (cluster.ready(host)?.residents.filter(r => !order.keep.includes(r.model)).length ?? 0);
  }, 0);
