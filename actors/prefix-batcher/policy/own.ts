import { describeError, PolicyError } from '../../../contracts/index.ts';
import {
  INSTANT_MS,
  isOpen,
  isUsable,
  type Decision,
  type Drop,
  type Grant,
  type GroupView,
  type Policy,
  type PolicyFactory,
  type PolicyOptions,
  type PoolView,
} from './view.ts';

/** A policy of a user's, as the default export of a file. */
export interface OwnDispatch {
  readonly kind: 'dispatch';
  readonly name: string;
  readonly create: PolicyFactory;
}

/** A dispatch policy of your own. `create` is called for each pool of each plan, with `policyOptions` of the batcher's configuration. */
export const dispatchPolicy = (
  name: string,
  create: (options: PolicyOptions) => Omit<Policy, 'name'>,
): OwnDispatch => ({
  kind: 'dispatch',
  name,
  create: (options = {}) => ({ ...create(options), name }),
});

/**
 * The same policy, each of its decisions looked at before anything is done. `onFault` hears what is wrong before that is thrown.
 * @throws PolicyError
 */
export function checked({ name, create }: OwnDispatch, onFault: (error: PolicyError) => void): PolicyFactory {
  const fail = (detail: string, cause?: unknown): never => {
    const error = new PolicyError(name, detail, { cause });
    onFault(error);
    throw error;
  };
  const guard = <T>(what: string, run: () => T): T => {
    try {
      return run();
    } catch (error) {
      return fail(`${what} threw: ${describeError(error)}`, error);
    }
  };
  return options => {
    const policy = guard('making it', () => create(options));
    if (typeof policy.decide !== 'function') fail('has no function `decide(view, changed)`');
    const { queues } = policy;
    if (queues !== undefined && queues !== 'pool' && queues !== 'host')
      fail(`\`queues\` is ${JSON.stringify(queues)}; it can be "pool" or "host"`);
    return {
      name,
      ...(queues ? { queues } : {}),
      decide: (view, changed) => {
        const decision = guard('`decide`', () => policy.decide(view, changed));
        const wrong = whatIsWrong(decision, view);
        return wrong === undefined ? decision : fail(wrong);
      },
      finished: (grant, endedAtMs) => guard('`finished`', () => policy.finished?.(grant, endedAtMs)),
    };
  };
}

/** Why a decision can't be carried out; undefined: it can. */
function whatIsWrong(decision: Decision, view: PoolView): string | undefined {
  if (typeof decision !== 'object' || !Array.isArray(decision?.drops) || !Array.isArray(decision.grants))
    return '`decide` must return { drops, grants, wakeAtMs }';
  const { drops, grants, wakeAtMs } = decision;
  if (typeof wakeAtMs !== 'number' || Number.isNaN(wakeAtMs))
    return '`wakeAtMs` is no number; Infinity means: not before something happens';
  if (drops.length === 0 && grants.length === 0 && wakeAtMs <= view.nowMs)
    return `decides nothing at ${view.nowMs} and asks to be woken at ${wakeAtMs}, which isn't later`;
  const taken = new Set<unknown>();
  for (const [i, drop] of drops.entries()) {
    const wrong = wrongDrop(drop, view) ?? (taken.has(drop.group) ? 'is the second one of its group' : undefined);
    if (wrong !== undefined) return `drops[${i}] ${wrong}`;
    taken.add(drop.group);
  }
  for (const [i, grant] of grants.entries()) {
    const again = taken.has(grant.group) || taken.has(grant.seat?.host);
    const wrong = again
      ? 'is of a group or host that this decision is about already; give the others after it, you are asked again'
      : wrongGrant(grant, view);
    if (wrong !== undefined) return `grants[${i}] ${wrong}`;
    taken.add(grant.group).add(grant.seat.host);
  }
  return undefined;
}

const isCount = (value: number, max: number): boolean => Number.isInteger(value) && value >= 1 && value <= max;

const ofPool = (group: GroupView | undefined, { groups }: PoolView): string | undefined =>
  group && groups.includes(group) ? undefined : 'has no `group` of this pool';

function wrongDrop({ group, queue, count }: Drop, view: PoolView): string | undefined {
  const foreign = ofPool(group, view);
  if (foreign !== undefined) return foreign;
  if (!group.lots.some(lot => lot.queue === queue)) return 'has a `queue` that is none of its group’s lots';
  return isCount(count, queue.length) ? undefined : `gives up ${count} of the ${queue.length} that wait`;
}

function wrongGrant({ group, seat, from, count, startAtMs, latestAtMs }: Grant, view: PoolView): string | undefined {
  const foreign = ofPool(group, view);
  if (foreign !== undefined) return foreign;
  if (!seat || group.seatOn(seat.host) !== seat) return 'has no `seat` of its group';
  const { host, queue } = seat;
  if (!seat.resident) return `is for ${host.name}, which does not hold ${group.models.join(', ')} now`;
  if (!isUsable(host, view.nowMs)) return `is for ${host.name}, which can't be used now`;
  if (!isOpen(host, view.nowMs)) return `is for ${host.name}, which was granted a batch that has not started, or two`;
  if (!Number.isInteger(from) || from < 0 || !isCount(count, queue.length - from))
    return `takes ${count} from ${from} on, where ${queue.length} wait`;
  if (count > seat.batchMax) return `is a batch of ${count}; ${host.name} takes ${seat.batchMax} at most`;
  if (!(startAtMs >= view.nowMs - INSTANT_MS && startAtMs < Infinity))
    return `starts at ${startAtMs}; it is ${view.nowMs}`;
  return typeof latestAtMs === 'number' && !Number.isNaN(latestAtMs) ? undefined : '`latestAtMs` is no number';
}
