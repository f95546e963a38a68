import { DueHeap } from './due-heap.ts';
import type { GroupView, HostView, PoolView } from './view.ts';

/** What is remembered of a look at a group. */
export interface Look {
  readonly group: GroupView;
  readonly index: number;
  /** Deadline of the most urgent that waited; NaN: nothing did. */
  headMs: number;
  /** When that one was to be looked at, whatever else happens. */
  hopelessAtMs: number;
}

/** When each group of a pool is to be looked at again: while nothing happens but time passes, only those whose time has come are. */
export class Agenda {
  readonly all: readonly Look[];
  readonly #lookOf: ReadonlyMap<GroupView, Look>;
  readonly #due: DueHeap;
  /** Who was near when all were looked at. */
  #near: readonly HostView[] | undefined;

  constructor(groups: readonly GroupView[]) {
    this.all = groups.map((group, index) => ({ group, index, headMs: NaN, hopelessAtMs: Infinity }));
    this.#lookOf = new Map(this.all.map(look => [look.group, look]));
    this.#due = new DueHeap(groups.length);
  }

  /** When the first one is due. */
  get firstAtMs(): number {
    return this.#due.firstAtMs;
  }

  of(group: GroupView): Look {
    return this.#lookOf.get(group)!;
  }

  /** Those that must be looked at now. `near`: a list that is another one when other hosts are near. */
  asked({ onlyTimePassed, nowMs }: PoolView, near: readonly HostView[]): readonly Look[] {
    if (!onlyTimePassed || near !== this.#near) {
      this.#near = near;
      return this.all;
    }
    const due: Look[] = [];
    while (this.#due.firstAtMs <= nowMs) {
      const look = this.all[this.#due.first!]!;
      this.lookAgain(look, Infinity);
      due.push(look);
    }
    return due;
  }

  lookAgain({ index }: Look, atMs: number): void {
    this.#due.set(index, atMs);
  }
}
