import type { Clock } from '../../contracts/index.ts';

/** Gathers what is asked for in one turn of the event loop: however often the answer is called, `run` runs once, at the turn's end. */
export function coalesce(clock: Pick<Clock, 'atTurnEnd'>, run: () => void): () => void {
  let pending = false;
  const atEnd = (): void => {
    pending = false;
    run();
  };
  return () => {
    if (pending) return;
    pending = true;
    clock.atTurnEnd(atEnd);
  };
}
