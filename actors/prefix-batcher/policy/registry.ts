import { aimd, nexus, optionsOf, timeout } from './baselines/index.ts';
import { deferred, eager, hybrid } from './policies.ts';
import type { Policy, PolicyFactory } from './view.ts';

const plain =
  (name: string, make: () => Policy): PolicyFactory =>
  options => {
    optionsOf(name, options, {});
    return make();
  };

/** What `policy` of the configuration can be, by name. */
export const ourPolicies: Readonly<Record<string, PolicyFactory>> = {
  hybrid: plain('hybrid', hybrid),
  eager: plain('eager', eager),
  deferred: plain('deferred', deferred),
  nexus,
  timeout,
  aimd,
};
