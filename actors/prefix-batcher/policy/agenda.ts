import { DueHeap } from './due-heap.ts';
import type { GroupView, HostView, PoolView } from './view.ts';

/** When each group of a pool is to be looked at again: while nothing happens but time passes, only those whose time has come are. */
export class Agenda {
  readonly #indexOf: ReadonlyMap<GroupView, number>;
  readonly #due: DueHeap;
  /** Who was near when all were looked at. */
  #near: readonly HostView[] | undefined;

  constructor(groups: readonly GroupView[]) {
    this.#indexOf = new Map(groups.map((group, i) => [group, i]));
    this.#due = new DueHeap(groups.length);
  }

  /** When the first one is due. */
  get firstAtMs(): number {
    return this.#due.firstAtMs;
  }

  /** Those that must be looked at now. `near`: a list that is another one when other hosts are near. */
  asked(view: PoolView, near: readonly HostView[]): readonly GroupView[] {
    if (!view.onlyTimePassed || near !== this.#near) {
      this.#near = near;
      return view.groups;
    }
    const due: GroupView[] = [];
    while (this.#due.firstAtMs <= view.nowMs) {
      const index = this.#due.first!;
      this.#due.set(index, Infinity);
      due.push(view.groups[index]!);
    }
    return due;
  }

  lookAgain(group: GroupView, atMs: number): void {
    this.#due.set(this.#indexOf.get(group)!, atMs);
  }

  /** At `atMs` at the latest. */
  lookBy(group: GroupView, atMs: number): void {
    const index = this.#indexOf.get(group)!;
    this.#due.set(index, Math.min(this.#due.at(index), atMs));
  }
}
