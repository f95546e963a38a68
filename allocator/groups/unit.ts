import { prefixId, suffixId, type Plan } from '../../contracts/index.ts';
import { compareText } from '../packing.ts';
import type { Group } from './candidates.ts';

/** A group as it is planned: each bin of members as one model. One bin: all members are on each host of the group. */
export interface Unit {
  readonly group: Group;
  readonly bins: readonly Bin[];
}

export interface Bin {
  /** Stands for the bin's members in a folded plan. */
  readonly id: string;
  /** Ids, sorted. */
  readonly members: readonly string[];
}

export const suffixesOf = ({ group }: Unit, { members }: Bin): string[] =>
  members.map(member => suffixId(member, group.cut));

/** The members spread over `count` bins of about the same rate. */
export function spreadUnit(group: Group, count: number, ratesHz: ReadonlyMap<string, number>): Unit {
  const bins = Array.from({ length: Math.min(count, group.members.length) }, () => ({
    members: [] as string[],
    rateHz: 0,
  }));
  for (const member of byRate(group.members, ratesHz)) fill(bins, member, ratesHz);
  return unitOf(
    group,
    bins.map(({ members }) => members),
  );
}

const BINS_MAX = 16;

/** As the plan in force has it: members that the same hosts hold are one bin. Undefined where it doesn't spread this group. */
export function unitInForce(
  group: Group,
  current: Plan | undefined,
  ratesHz: ReadonlyMap<string, number>,
): Unit | undefined {
  const byHosts = new Map<string, { members: string[]; rateHz: number }>();
  const left: string[] = [];
  for (const member of byRate(group.members, ratesHz)) {
    const suffix = suffixId(member, group.cut);
    const hosts = (current?.hosts ?? []).filter(({ models }) => models.some(({ model }) => model === suffix));
    if (hosts.length === 0) {
      left.push(member);
      continue;
    }
    const key = hosts.map(({ host }) => host).join(' ');
    const bin = byHosts.get(key) ?? { members: [], rateHz: 0 };
    byHosts.set(key, bin);
    bin.members.push(member);
    bin.rateHz += ratesHz.get(member) ?? 0;
  }
  const bins = [...byHosts.values()];
  if (bins.length < 2 || bins.length > BINS_MAX) return undefined;
  for (const member of left) fill(bins, member, ratesHz);
  return unitOf(
    group,
    bins.map(({ members }) => members),
  );
}

function unitOf(group: Group, bins: readonly (readonly string[])[]): Unit {
  const prefix = prefixId(group.cut);
  const sorted = bins.map(members => members.toSorted(compareText)).toSorted((a, b) => compareText(a[0]!, b[0]!));
  return {
    group,
    bins: sorted.map((members, i) => ({ id: sorted.length === 1 ? prefix : `${prefix}#${i}`, members })),
  };
}

/** Puts a member where least is asked for; of equals where the fewest are. */
function fill(
  bins: readonly { members: string[]; rateHz: number }[],
  member: string,
  ratesHz: ReadonlyMap<string, number>,
): void {
  const least = bins.reduce((a, b) =>
    b.rateHz < a.rateHz || (b.rateHz === a.rateHz && b.members.length < a.members.length) ? b : a,
  );
  least.members.push(member);
  least.rateHz += ratesHz.get(member) ?? 0;
}

const byRate = (members: readonly string[], ratesHz: ReadonlyMap<string, number>): string[] =>
  members.toSorted((a, b) => (ratesHz.get(b) ?? 0) - (ratesHz.get(a) ?? 0) || compareText(a, b));
