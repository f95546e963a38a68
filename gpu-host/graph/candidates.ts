import type { Hash } from './hash.ts';
import type { OnnxModel } from './model.ts';
import { stepsBehind, stepsOf } from './steps.ts';

/** Steps that are closed upwards. */
export interface Candidate {
  readonly inside: BitSet;
  /** What leaves them. */
  readonly crossing: ReadonlySet<Hash>;
  /** Those of the steps that no other one of them needs. */
  readonly last: readonly number[];
  /** Steps behind that read what crosses. */
  readonly readers: (hash: Hash) => readonly number[];
}

/**
 * Places where at most `tensorsMax` tensors cross: after each step, and before each that joins branches. Each set of tensors once.
 * Time and memory go with the steps times those above them; what crosses is found from what crossed above.
 */
export function* candidates(model: OnnxModel, tensorsMax: number): Generator<Candidate> {
  const { all, producer, inputs, outputs } = stepsOf(model);
  const live = stepsBehind(model, outputs).filter(i => all[i]!.dynamic);
  const readers = new Map<Hash, number[]>();
  for (const i of live)
    for (const hash of all[i]!.reads) {
      const known = readers.get(hash);
      if (known) known.push(i);
      else readers.set(hash, [i]);
    }
  const ends = new Set(outputs);
  const above: BitSet[] = [];
  const left: ReadonlySet<Hash>[] = [];
  const seen = new Set<string>();
  for (const i of live) {
    const step = all[i]!;
    const needs = step.needs.filter(need => all[need]!.dynamic);
    const before = new BitSet(all.length);
    for (const need of needs) before.addAll(above[need]!);
    const leaving = (inside: BitSet, from: Iterable<Hash>): Set<Hash> => {
      const leaves = (hash: Hash): boolean =>
        ends.has(hash) || (readers.get(hash) ?? []).some(reader => !inside.has(reader));
      return new Set([...from].filter(leaves));
    };
    // All readers of what crosses no cut above are above.
    const leavingBefore = leaving(before, [...inputs.keys(), ...needs.flatMap(need => [...left[need]!])]);
    const upTo = before.copy();
    upTo.add(i);
    above[i] = upTo;
    left[i] = leaving(upTo, [...leavingBefore, ...step.outputs.filter(hash => hash !== '')]);
    const places = [{ inside: upTo, crossing: left[i] }];
    if (needs.length > 1) places.unshift({ inside: before, crossing: leavingBefore });
    for (const { inside, crossing } of places) {
      const key = [...crossing].toSorted().join();
      if (crossing.size === 0 || crossing.size > tensorsMax || seen.has(key)) continue;
      seen.add(key);
      const made = [...new Set([...crossing].flatMap(hash => producer.get(hash) ?? []))];
      if (made.length === 0) continue;
      yield {
        inside,
        crossing,
        last: made.filter(one => !made.some(other => other !== one && above[other]!.has(one))),
        readers: hash => (readers.get(hash) ?? []).filter(reader => !inside.has(reader)),
      };
    }
  }
}

class BitSet {
  private readonly words: Uint32Array;
  constructor(size: number, words = new Uint32Array(Math.ceil(size / 32))) {
    this.words = words;
  }
  has(i: number): boolean {
    return ((this.words[i >>> 5]! >>> (i & 31)) & 1) === 1;
  }
  add(i: number): void {
    this.words[i >>> 5]! |= 1 << (i & 31);
  }
  addAll({ words }: BitSet): void {
    for (let at = 0; at < words.length; at++) this.words[at]! |= words[at]!;
  }
  copy(): BitSet {
    return new BitSet(0, this.words.slice());
  }
}
