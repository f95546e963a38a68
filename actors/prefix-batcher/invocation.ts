import type { ById } from './by-id.ts';
import type { Group, Item, Session } from './group.ts';
import type { Pool } from './pool.ts';

/** What one router has waiting here. */
export interface RouterBook {
  readonly router: string;
  /** Where it stands among the routers of the batch that is being granted. */
  place: number;
  readonly waiting: ById<Invocation>;
}

/** Where invocations of a session go. */
export interface Place {
  readonly pool: Pool<Invocation>;
  readonly group: Group<Invocation>;
  readonly session: Session;
  /** Kept for the ways and postprocessing, as they are now. */
  readonly returnMs: () => number;
  /** Hosts have queues of their own: all the places that there are, this one among them. */
  readonly spread?: Spread;
}

/** Places that take turns in proportion to their weights, one invocation at a time: deficit round robin, as evenly as it goes. */
export class Spread {
  readonly #places: readonly Place[];
  readonly #weights: readonly number[];
  readonly #credits: Float64Array;
  readonly #sum: number;

  /** @param places at least one @param weights above 0 */
  constructor(places: readonly Place[], weights: readonly number[]) {
    this.#places = places;
    this.#weights = weights;
    this.#credits = new Float64Array(weights.length);
    this.#sum = weights.reduce((sum, weight) => sum + weight, 0);
  }

  next(): Place {
    const credits = this.#credits;
    let best = 0;
    for (let i = 0; i < credits.length; i++) {
      credits[i]! += this.#weights[i]!;
      if (credits[i]! > credits[best]!) best = i;
    }
    credits[best]! -= this.#sum;
    return this.#places[best]!;
  }
}

/** Where the next invocation goes. */
export const turnOf = (place: Place | undefined): Place | undefined => (place?.spread ? place.spread.next() : place);

/** One offer that waits. */
export interface Invocation extends Item {
  readonly arrivedAtMs: number;
  readonly id: number;
  readonly book: RouterBook;
  readonly place: Place;
  /** When the answer must be back at the router. */
  readonly answerByMs: number;
  readonly alone: boolean;
  readonly avoid: string;
}

/** Field by field: spreading the offer took most of the time of taking one in. */
export const invocationAt = (
  place: Place,
  {
    id,
    book,
    answerByMs,
    bytes,
    alone,
    avoid,
    arrivedAtMs,
  }: Pick<Invocation, 'id' | 'book' | 'answerByMs' | 'bytes' | 'alone' | 'avoid' | 'arrivedAtMs'>,
): Invocation => ({
  id,
  book,
  answerByMs,
  bytes,
  alone,
  avoid,
  place,
  session: place.session,
  deadlineMs: answerByMs - place.returnMs(),
  arrivedAtMs,
});
