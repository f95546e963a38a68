import type { Group, Item, Session } from './group.ts';
import type { Pool } from './pool.ts';

/** What one router has waiting here. */
export interface RouterBook {
  readonly router: string;
  readonly waiting: Map<number, Invocation>;
}

/** Where invocations of a session go. */
export interface Place {
  readonly pool: Pool<Invocation>;
  readonly group: Group<Invocation>;
  readonly session: Session;
  /** Kept for the way back: postprocessing and the answer. */
  readonly returnMs: number;
}

/** One offer that waits. */
export interface Invocation extends Item {
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
  }: Pick<Invocation, 'id' | 'book' | 'answerByMs' | 'bytes' | 'alone' | 'avoid'>,
): Invocation => ({
  id,
  book,
  answerByMs,
  bytes,
  alone,
  avoid,
  place,
  session: place.session,
  deadlineMs: answerByMs - place.returnMs,
});
