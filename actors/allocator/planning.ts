import { asPlanned, reach, renewed, samePlan, type Draft, type Holdings } from '../../allocator/index.ts';
import type { Plan } from '../../contracts/index.ts';

/** What there is to plan with. */
export interface Means {
  /** What was applied has been read. */
  readonly catalogReady: boolean;
  readonly batchers: number;
  readonly inForce: Plan | undefined;
}

/** Why nothing can be planned now; undefined: it can. */
export function whyNotNow({ catalogReady, batchers, inForce }: Means): string | undefined {
  if (!catalogReady) return 'what was applied has not been read yet; the plan stays as it is';
  if (batchers === 0 && inForce && inForce.queries.length > 0)
    return 'no prefix-batcher is up; the plan stays as it is';
  return undefined;
}

/** Where things stand when a draft is made. */
export interface Standing {
  readonly inForce: Plan | undefined;
  readonly holdings: ReadonlyMap<string, Holdings>;
  /** Plans put in force by this leader. */
  readonly epochs: number;
  /** Somebody follows a plan that isn't older than the one in force, or it is stored. */
  readonly outdone: boolean;
  /** Every host holds what the plan in force gives it. */
  readonly inPlace: boolean;
  /** Why a plan is made. */
  readonly reason: string;
  /** The plan in force, and what it doesn't serve beside it; undefined: that would serve no more. */
  beside(): Draft | undefined;
}

export type Verdict =
  | { readonly is: 'keep'; readonly detail: string }
  | { readonly is: 'block'; readonly detail: string }
  /** `partial`: a step on the way. */
  | { readonly is: 'change'; readonly draft: Draft; readonly partial: boolean };

/**
 * What becomes of a draft. A new leader's first plan is always a new one: only its own are above all that anybody follows. Until one is
 * followed, a plan that this leader never saw may be in use: nothing goes from where it is, and if the draft can't be reached so,
 * the plan in force is put in force anew. Where the draft can't be reached, what isn't served goes beside the plan in force.
 */
export function verdictOn(draft: Draft, standing: Standing): Verdict {
  const { inForce, holdings, epochs, outdone, inPlace, reason } = standing;
  const known = epochs > 0 && !outdone;
  const inUse = known ? inForce : { hosts: asPlanned(holdings), sessions: inForce?.sessions ?? [] };
  const reached = reach(draft, inUse, holdings);
  if (reached.is === 'blocked' && inForce && !known)
    return { is: 'change', draft: renewed(inForce, holdings), partial: true };
  if (reached.is === 'blocked') {
    const more = inForce && standing.beside();
    return more ? { is: 'change', draft: more, partial: true } : { is: 'block', detail: reached.detail };
  }
  if (inForce && known && inPlace && samePlan(reached.draft, inForce))
    return { is: 'keep', detail: `epoch ${inForce.epoch} stays: ${reason}` };
  return { is: 'change', draft: reached.draft, partial: reached.is === 'partial' };
}
