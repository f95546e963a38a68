import type { Curve, Curves } from '../../allocator/index.ts';
import type { CapacityHost } from '../../allocator/capacity/index.ts';

/** A run of one model in a device's cycle. */
export interface Run {
  /** The session, or the prefix of several. */
  readonly name: string;
  readonly model: string;
  readonly batch: number;
  readonly ms: number;
}

/** What a device does in one cycle, and what its memory holds. */
export interface Anatomy {
  readonly runs: readonly Run[];
  /** P of each model, most first. */
  readonly persistent: readonly { readonly model: string; readonly bytes: number }[];
  /** The largest E: the runs of a device take turns. */
  readonly ephemeralBytes: number;
  /** ΣP + max E */
  readonly usedBytes: number;
}

type HostSession = CapacityHost['sessions'][number];

/** Read off a plan with the curves that it was made with. */
export function anatomyOf(host: CapacityHost, curves: Curves): Anatomy {
  const runs: Run[] = [];
  const prefixed = new Map<string, HostSession[]>();
  for (const session of host.sessions) {
    if (session.prefix === undefined) runs.push(runOf(session.name, session.model, session.batch, host, curves));
    else {
      const members = prefixed.get(session.prefix);
      if (members) members.push(session);
      else prefixed.set(session.prefix, [session]);
    }
  }
  for (const [prefix, members] of prefixed) {
    runs.push(runOf(`${prefix} (prefix)`, prefix, batchBehind(members), host, curves));
    for (const member of members) runs.push(runOf(member.name, member.model, member.batch, host, curves));
  }
  const models = [...new Set(runs.map(run => run.model))];
  const persistent = models
    .map(model => ({ model, bytes: curves.find(model, host.kind)?.persistentBytes ?? 0 }))
    .sort((a, b) => b.bytes - a.bytes);
  const ephemeralBytes = runs.reduce(
    (most, run) => Math.max(most, at(curves.find(run.model, host.kind), run.batch, 'ephemeralBytes')),
    0,
  );
  return { runs, persistent, ephemeralBytes, usedBytes: persistent.reduce((sum, p) => sum + p.bytes, ephemeralBytes) };
}

const batchBehind = (members: readonly HostSession[]): number => members.reduce((sum, member) => sum + member.batch, 0);

const runOf = (name: string, model: string, batch: number, host: CapacityHost, curves: Curves): Run => ({
  name,
  model,
  batch,
  ms: at(curves.find(model, host.kind), batch, 'latencyMs'),
});

/** A curve at a batch, at the nearest one that was measured where a mixed batch is larger. */
const at = (curve: Curve | undefined, batch: number, what: 'latencyMs' | 'ephemeralBytes'): number =>
  curve ? curve[what](Math.min(curve.batchMax, Math.max(curve.batchMin, batch))) : 0;

/** Share of a device's time that each session's rate takes, prefix included. */
export function busyShares(host: CapacityHost, curves: Curves): number[] {
  const perInput = (model: string, batch: number): number =>
    at(curves.find(model, host.kind), batch, 'latencyMs') / batch;
  return host.sessions.map(({ model, prefix, batch, rateHz }) => {
    if (prefix === undefined) return (rateHz / 1000) * perInput(model, batch);
    const together = batchBehind(host.sessions.filter(other => other.prefix === prefix));
    return (rateHz / 1000) * (perInput(prefix, together) + perInput(model, batch));
  });
}

/** Hosts that hold and do the same, under one name: what people want to see once. */
export interface HostGroup {
  readonly hosts: readonly CapacityHost[];
  readonly first: CapacityHost;
}

const partsKey = (sessions: CapacityHost['sessions']): string =>
  JSON.stringify(sessions.map(({ name, model, batch, rateHz }) => [name, model, batch, rateHz.toPrecision(4)]));

/** In the order of their first hosts. */
export function groupHosts(hosts: readonly CapacityHost[]): HostGroup[] {
  const groups = new Map<string, CapacityHost[]>();
  // Hosts of a pool mostly have the very same list, which may be long: it gets a number.
  const known = new Map<CapacityHost['sessions'], number>();
  const numbers = new Map<string, number>();
  const numberOf = (sessions: CapacityHost['sessions']): number => {
    const key = partsKey(sessions);
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    known.set(sessions, number);
    return number;
  };
  for (const host of hosts) {
    const parts = known.get(host.sessions) ?? numberOf(host.sessions);
    const key = JSON.stringify([host.kind, host.occupancy.toPrecision(4), parts]);
    const group = groups.get(key);
    if (group) group.push(host);
    else groups.set(key, [host]);
  }
  return [...groups.values()].map(hosts => ({ hosts, first: hosts[0]! }));
}

export interface SessionRow {
  readonly group: HostGroup;
  readonly session: HostSession;
  /** The first of its device. */
  readonly leads: boolean;
}

/** One row for each session of each device, up to `rowsMax`; and how many more there are. */
export function sessionRows(groups: readonly HostGroup[], rowsMax: number): { rows: SessionRow[]; more: number } {
  const rows: SessionRow[] = [];
  for (const group of groups) {
    const shown = group.first.sessions.slice(0, rowsMax - rows.length);
    rows.push(...shown.map((session, i) => ({ group, session, leads: i === 0 })));
  }
  return { rows, more: groups.reduce((sum, { first }) => sum + first.sessions.length, -rows.length) };
}
