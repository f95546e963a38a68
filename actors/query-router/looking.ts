import { describeError, InputError, type Clock } from '../../contracts/index.ts';

/** What a look at pixels leads to. `input`: the picture is at fault, else we are. */
export interface Look<T> {
  readonly what: string;
  readonly work: () => T | Promise<T>;
  readonly done: (found: T, nowMs: number) => void;
  readonly failed: (detail: string, input: boolean, nowMs: number) => void;
}

/** Does the work, then what it leads to: at the end of the turn at the earliest, never inside this call. */
export function look<T extends object>(
  { what, work, done, failed }: Look<T>,
  clock: Clock,
  spawn: (what: string, work: () => Promise<void>) => void,
): void {
  const fail = (error: unknown): void => failed(describeError(error), error instanceof InputError, clock.nowMs());
  let found: T | Promise<T>;
  try {
    found = work();
  } catch (error) {
    clock.atTurnEnd(() => fail(error));
    return;
  }
  if (found instanceof Promise) spawn(what, () => settle(found, pixels => done(pixels, clock.nowMs()), fail));
  else clock.atTurnEnd(() => done(found, clock.nowMs()));
}

/** What `done` throws is a fault of ours and goes to the caller. */
async function settle<T>(found: Promise<T>, done: (found: T) => void, fail: (error: unknown) => void): Promise<void> {
  let pixels: T;
  try {
    pixels = await found;
  } catch (error) {
    return fail(error);
  }
  done(pixels);
}
