import type {
  AllocatorBeat,
  BatcherBeat,
  HostBeat,
  Plan,
  QueryDocument,
  RouterBeat,
  SamplerBeat,
} from '../../contracts/index.ts';
import { formatPercent } from '../terminal/index.ts';
import type { GroupView } from './groups.ts';

/** An actor as its latest beat shows it. */
export interface Seen<B> {
  readonly name: string;
  readonly beat: B;
  /** Since the latest beat. */
  readonly ageMs: number;
}

/** A query over all routers; rates over the span that the view looks back. */
export interface QueryView {
  readonly tenant: string;
  readonly query: string;
  readonly objectiveMs: number | undefined;
  /** Requests accepted per second. */
  readonly rateHz: number;
  /** Counted since the view began. */
  readonly ok: number;
  readonly late: number;
  readonly dropped: number;
  readonly failed: number;
  readonly rejected: number;
  /** Share of what ended since the view began that was late, dropped or failed; 0 when nothing ended. */
  readonly badShare: number;
  /** Of the latest interval; over several routers the worst. Undefined when nothing ended. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** Why the plan doesn't serve it. */
  readonly refused: string | undefined;
  readonly stages: readonly { readonly stage: string; readonly rateHz: number; readonly fanout: number }[];
}

export interface HostView extends Seen<HostBeat> {
  /** Share of the time that its device was busy, 0..1, over the span that the view looks back. */
  readonly busyShare: number;
  /** Invocations per second. */
  readonly rateHz: number;
  /** Models that run behind one prefix. */
  readonly groups: readonly GroupView[];
  /** What its batcher holds against it, by the share of its profile that runs take and the share of wrong ones; undefined: nothing. */
  readonly ailing: Ailing | undefined;
  /** The plan does without it because it was not well. */
  readonly avoided: boolean;
}

type Ailing = NonNullable<BatcherBeat['ailing']>[number];

/** A cluster at one moment, put together from the beats. */
export interface View {
  readonly url: string;
  readonly prefix: string;
  /** Unix ms, for people. */
  readonly unixMs: number;
  readonly connected: boolean;
  /** How long the view has been listening. */
  readonly watchedMs: number;
  readonly hosts: readonly HostView[];
  readonly routers: readonly Seen<RouterBeat>[];
  readonly batchers: readonly Seen<BatcherBeat>[];
  readonly samplers: readonly Seen<SamplerBeat>[];
  readonly allocators: readonly Seen<AllocatorBeat>[];
  readonly queries: readonly QueryView[];
  readonly plan: Plan | undefined;
}

/** What people should look at first, and what they can do about it. */
export interface Trouble {
  readonly severity: 'error' | 'warning';
  readonly what: string;
  readonly remedy: string;
}

/** Actors beat each second. */
const SILENT_MS = 3_500;
const BAD_SHARE = 0.01;
const AILING_REMEDY = 'see what else its device does; restart it, or take it out with: ganglion drain';
export const isAlive = (seen: Seen<unknown>): boolean => seen.ageMs <= SILENT_MS;

/** Everything wrong that the beats show, the worst first. */
export function troublesOf(view: View, applied: readonly QueryDocument[] = []): Trouble[] {
  const errors: Trouble[] = [];
  const warnings: Trouble[] = [];
  const error = (what: string, remedy: string): void => void errors.push({ severity: 'error', what, remedy });
  const warn = (what: string, remedy: string): void => void warnings.push({ severity: 'warning', what, remedy });
  if (!view.connected) error(`no connection to NATS at ${view.url}`, 'it is sought again; look at the server');
  const groups = [
    ['allocator', view.allocators],
    ['query-router', view.routers],
    ['prefix-batcher', view.batchers],
    ['gpu-host', view.hosts],
  ] as const;
  for (const [actor, all] of groups) {
    const alive = (all as readonly Seen<unknown>[]).filter(isAlive);
    if (alive.length === 0) error(`no ${actor} is alive`, `start one with: ganglion run ${actor}`);
    for (const seen of all) {
      if (!isAlive(seen))
        warn(
          `${actor} ${seen.name} has been silent for ${(seen.ageMs / 1000).toFixed(0)} s`,
          'look at its log; is its process running?',
        );
    }
  }
  const allocators = view.allocators.filter(isAlive);
  if (allocators.length > 0 && !allocators.some(({ beat }) => beat.role === 'leader')) {
    warn('no allocator leads', 'one takes over when the lease of the last leader has run out');
  }
  for (const host of view.hosts.filter(isAlive)) {
    if (host.beat.state === 'failed') error(`host ${host.name} has failed`, 'look at its log and restart it');
    if (host.ailing) {
      const { times, wrong, relieved } = host.ailing;
      const how =
        wrong > 0
          ? `${formatPercent(wrong)} of its runs give wrong outputs`
          : `it takes ${times.toFixed(1)} × its profiles`;
      warn(`host ${host.name} is not well: ${how}${relieved ? '; it gets one request a second' : ''}`, AILING_REMEDY);
    } else if (host.avoided)
      warn(`host ${host.name} was not well: the plan does without it and tries it again later`, AILING_REMEDY);
    for (const { model, state, detail } of host.beat.residents) {
      if (state === 'failed')
        error(
          `host ${host.name} can't hold ${model}: ${detail ?? 'no reason given'}`,
          'fix the model and apply it again',
        );
    }
  }
  for (const query of view.queries) {
    const name = `${query.tenant}/${query.query}`;
    if (query.refused !== undefined)
      error(`query ${name} is not served: ${query.refused}`, 'add hosts, or relax its objective or rate');
    else if (query.badShare > BAD_SHARE && query.ok + query.late + query.dropped + query.failed >= 20) {
      warn(
        `query ${name}: ${(100 * query.badShare).toFixed(1)} % late, dropped or failed`,
        'see the reasons with: ganglion results ' + query.query,
      );
    }
  }
  for (const { name, tenant } of applied) {
    const planned = view.plan?.queries.some(query => query.query === name && query.tenant === tenant);
    const refused = view.plan?.refused.some(query => query.query === name && query.tenant === tenant);
    if (!planned && !refused)
      warn(
        `query ${tenant}/${name} is applied but not in the plan yet`,
        'its models may still be measured or loaded; see: ganglion get plan',
      );
  }
  for (const { name, beat } of view.samplers.filter(isAlive)) {
    for (const stream of beat.streams) {
      if (stream.state === 'dead')
        warn(
          `stream ${stream.tenant}/${stream.stream} is dead (${name}): ${stream.detail ?? ''}`,
          'check its source; it is reopened again and again',
        );
    }
  }
  return [...errors, ...warnings];
}
