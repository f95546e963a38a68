import { dispatchBy } from './dispatch.ts';
import type { Policy, PolicyFactory } from './view.ts';

/**
 * Starts at once what prefers latency; defers the rest, while another host would idle anyway, until waiting can't make its batch
 * larger. More urgent invocations are passed over only for batches that the load needs.
 */
export const hybrid = (): Policy =>
  dispatchBy({
    name: 'hybrid',
    need: group => group.batchSustain,
    openAtMs: (candidate, idle) =>
      candidate.group.prefersLatency || idle < 2 || candidate.from > 0 ? -Infinity : candidate.frontrunMs,
    urgencyMs: candidate => candidate.latestMs,
  });

/** Starts whatever waits as soon as a host is free, the earliest deadline first. Early drop as in Nexus. */
export const eager = (): Policy =>
  dispatchBy({
    name: 'eager',
    need: group => group.batchTarget,
    openAtMs: () => -Infinity,
    urgencyMs: candidate => candidate.deadlineMs,
  });

/** Symphony's rule: each batch waits until waiting can't make it larger (frontrun), whoever idles meanwhile. */
export const deferred = (): Policy =>
  dispatchBy({
    name: 'deferred',
    need: group => group.batchTarget,
    openAtMs: candidate => candidate.frontrunMs,
    urgencyMs: candidate => candidate.latestMs,
  });

export const ourPolicies: Readonly<Record<string, PolicyFactory>> = { hybrid, eager, deferred };
