import { OUTCOMES, type Outcome } from '../../contracts/index.ts';
import { nameOf, type Fault } from './faults.ts';

/** A frame that was published, for the query that must answer it. Times in ms from the first counted frame. */
export interface Sent {
  readonly query: string;
  readonly stream: string;
  readonly seq: number;
  readonly atMs: number;
  outcome: Outcome | undefined;
  readonly reason: string | undefined;
  /** From publishing to the outcome, as heard. */
  readonly tookMs: number | undefined;
  /** Results under different names, stored results where they are stored: more than one is one too many. */
  readonly results: number;
  /** The bus was away from here or from the routers while it had no outcome: one can have been told that was not heard. */
  readonly doubtful: boolean;
}

/** Of all requests, or of one query's. */
interface Counts {
  readonly requests: number;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** Published, and no outcome came. */
  readonly lost: number;
  /** Published and no outcome came, but one can have been told while NATS was away: interactive results are not stored. */
  readonly unknown: number;
  /** Had more than one outcome. */
  readonly doubled: number;
}

export interface Verdict extends Counts {
  /** Not published: NATS was away. */
  readonly unsent: number;
  /** Of those that were not answered: reason → how many. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly queries: Readonly<Record<string, Counts>>;
  readonly faults: readonly FaultVerdict[];
}

export interface FaultVerdict {
  readonly fault: string;
  readonly atS: number;
  /** Requests published until the next fault that did not end `ok`, those that were under way at the fault among them. */
  readonly hit: number;
  readonly lost: number;
  /** Of the same requests, the one that took longest to its outcome: whether the fault was felt at all. */
  readonly slowestMs: number;
  /** From the fault until requests ended `ok` again, all of them; undefined: not before the next fault or the end. */
  readonly backMs: number | undefined;
}

/** So long all requests must end well before goodput counts as back. */
const WELL_MS = 2000;

export function judge(
  sent: readonly Sent[],
  faults: readonly Fault[],
  { unsent, underWayMs, endMs }: { readonly unsent: number; readonly underWayMs: number; readonly endMs: number },
): Verdict {
  const reasons: Record<string, number> = {};
  for (const { reason } of sent) if (reason !== undefined) reasons[reason] = (reasons[reason] ?? 0) + 1;
  const byTime = sent.toSorted((a, b) => a.atMs - b.atMs);
  return {
    ...countsOf(sent),
    unsent,
    reasons,
    queries: Object.fromEntries(
      [...new Set(sent.map(({ query }) => query))].map(query => [
        query,
        countsOf(sent.filter(one => one.query === query)),
      ]),
    ),
    faults: faults.map((fault, i) => {
      const untilMs = faults[i + 1]?.atMs ?? endMs;
      const since = faults[i - 1]?.atMs ?? -Infinity;
      const fromMs = Math.max(since, fault.atMs - underWayMs);
      const during = byTime.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs);
      const hit = during.filter(({ outcome }) => outcome !== 'ok');
      const after = during.filter(({ atMs }) => atMs >= fault.atMs);
      const facts = { fault: nameOf(fault), atS: fault.atMs / 1000, hit: hit.length, lost: countOf(hit, isLost) };
      const slowestMs = during.reduce((most, { tookMs = 0 }) => Math.max(most, tookMs), 0);
      return { ...facts, slowestMs, backMs: backMs(after, fault.atMs, untilMs) };
    }),
  };
}

function countsOf(sent: readonly Sent[]): Counts {
  const outcomes = Object.fromEntries(OUTCOMES.map(outcome => [outcome, 0])) as Record<Outcome, number>;
  for (const { outcome } of sent) if (outcome) outcomes[outcome]++;
  return {
    requests: sent.length,
    outcomes,
    lost: countOf(sent, isLost),
    unknown: countOf(sent, one => one.outcome === undefined && one.doubtful),
    doubled: countOf(sent, ({ results }) => results > 1),
  };
}

const isLost = ({ outcome, doubtful }: Sent): boolean => outcome === undefined && !doubtful;
const countOf = <T>(all: readonly T[], is: (one: T) => boolean): number => all.filter(is).length;

/** Until the first request from which on all end well, for long enough to be sure. */
function backMs(after: readonly Sent[], atMs: number, untilMs: number): number | undefined {
  const lastBad = after.findLastIndex(({ outcome }) => outcome !== 'ok');
  for (let from = 0; from < after.length; from++) {
    const begun = after[from]!.atMs;
    if (untilMs - begun < WELL_MS) return undefined;
    const bad = after.slice(from).find(one => one.outcome !== 'ok');
    if (!bad || bad.atMs - begun >= WELL_MS) return lastBad < 0 ? 0 : begun - atMs;
    from = after.indexOf(bad);
  }
  return undefined;
}
