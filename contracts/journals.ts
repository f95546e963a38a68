import type { JournalSettings, ReaderSettings } from './bus.ts';
import { subjects } from './subjects.ts';

/** The journals of the durable class (docs/delivery.md). Sizes are those of a new journal; an existing one keeps its own. */
interface JournalOf {
  readonly name: string;
  readonly settings: JournalSettings;
}

const HOUR_MS = 3_600_000;
const GIB = 1024 ** 3;
/** Longer than a frame is likely to be tried again: its result is published once. */
const DEDUPE_MS = HOUR_MS;
const ACK_WAIT_MS = 15_000;

/** Frames of a tenant's streams that durable queries read. */
export const framesJournal = (prefix: string, tenant: string, frameSubjects: readonly string[]): JournalOf => ({
  name: `${prefix}-frames-${tenant}`,
  settings: {
    subjects: frameSubjects,
    keep: 'until-read',
    maxBytes: 4 * GIB,
    maxAgeMs: 24 * HOUR_MS,
    dedupeMs: HOUR_MS / 30,
  },
});

/** Results of durable queries. */
export const resultsJournal = (prefix: string, tenant: string, query: string): JournalOf => ({
  name: `${prefix}-results`,
  settings: {
    subjects: [subjects.results.at(prefix, { tenant, query })],
    keep: 'until-old',
    maxBytes: GIB,
    maxAgeMs: 24 * HOUR_MS,
    dedupeMs: DEDUPE_MS,
  },
});

/** Frames that could not be processed. */
export const deadJournal = (prefix: string): JournalOf => ({
  name: `${prefix}-dead`,
  settings: {
    subjects: [subjects.dead.at(prefix)],
    keep: 'until-old',
    maxBytes: GIB,
    maxAgeMs: 7 * 24 * HOUR_MS,
    dedupeMs: DEDUPE_MS,
  },
});

/** What a durable query reads: the subjects of its streams. A pattern takes all of the tenant's, and the router chooses. */
export const frameSubjectsOf = (prefix: string, tenant: string, streams: readonly string[]): string[] =>
  streams.some(stream => stream.includes('*'))
    ? [subjects.frames.at(prefix, { tenant })]
    : streams.map(stream => subjects.frames.at(prefix, { tenant, stream }));

/** @param heldMax frames under way at once, of those who read */
export const frameReader = (query: string, frameSubjects: readonly string[], heldMax = 1): ReaderSettings => ({
  name: query,
  subjects: frameSubjects,
  ackWaitMs: ACK_WAIT_MS,
  heldMax,
});
