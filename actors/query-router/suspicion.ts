import type { Fate } from './hosts.ts';
import { NONE, type Invocation } from './lives.ts';

/** A host that was granted an invocation and gave no answer. */
export interface Loss {
  readonly host: string;
  readonly incarnation: string;
  /** A sign of life of that process after this moment says that it outlived the run. */
  readonly sinceMs: number;
  /** Nothing else was on the host. */
  readonly alone: boolean;
  /** The host itself said that its device was lost. */
  readonly certain: boolean;
}

/**
 * What the losses of an invocation say of it. Deaths count: the process was replaced by another, or said that it failed. Silence
 * may be a freeze or a cut, so it takes one more. What shared a batch with the guilty one is never condemned for that: the
 * last loss must be one in which it was alone.
 * - innocent: all hosts outlived it
 * - suspect: to be offered alone
 * - unclear: a host had it alone, and is neither heard nor silent long enough; another one must wait until that is known
 */
export function judge(
  losses: readonly Loss[],
  fateOf: (loss: Loss) => Fate,
): 'innocent' | 'suspect' | 'unclear' | 'poison' {
  if (losses.length === 0) return 'innocent';
  let [held, died, unclear] = [0, 0, 0];
  let last: Loss | undefined;
  for (const loss of losses) {
    const fate = loss.certain ? 'died' : fateOf(loss);
    if (fate === 'alive') continue;
    held++;
    last = loss;
    if (fate === 'died') died++;
    if (fate === 'unclear') unclear++;
  }
  if (!last) return 'innocent';
  if (!last.alone) return 'suspect';
  if (unclear > 0) return 'unclear';
  return died >= 2 || held >= 3 ? 'poison' : 'suspect';
}

const KEPT_MAX = 1024;
const KEPT_MS = 600_000;

/** What is known of stored frames beyond one attempt with them: a short objective must not make each attempt the first. */
export class Suspicions {
  readonly #kept = new Map<string, { readonly losses: readonly Loss[]; readonly atMs: number }>();

  lossesBefore(invocation: Invocation, nowMs: number): readonly Loss[] {
    const key = this.#kept.size > 0 ? keyOf(invocation) : undefined;
    const kept = key === undefined ? undefined : this.#kept.get(key);
    return kept && nowMs - kept.atMs < KEPT_MS ? kept.losses : NONE;
  }

  keep(invocation: Invocation, nowMs: number): void {
    const key = keyOf(invocation);
    if (key === undefined) return;
    this.#kept.delete(key);
    this.#kept.set(key, { losses: invocation.losses, atMs: nowMs });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_MAX) this.#kept.delete(oldest!);
  }

  /** It has an answer. */
  acquit(invocation: Invocation): void {
    if (invocation.losses.length === 0) return;
    const key = keyOf(invocation);
    if (key !== undefined) this.#kept.delete(key);
  }
}

/** Undefined for what comes only once. */
function keyOf({ request, stage, parent, item }: Invocation): string | undefined {
  const { query, stream, seq } = request;
  if (!query.durable || stream === undefined) return undefined;
  return `${query.key} ${stream} ${seq} ${stage.index} ${parent} ${item}`;
}
