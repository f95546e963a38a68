import { compareText } from '../packing.ts';
import { boundOf } from './bound.ts';
import type { Demand } from './demand.ts';
import type { Made } from './serve.ts';
import type { CapacityHost, CapacityPlan } from './workload.ts';

/** The plan with its cost, its bound and its notes. */
export function finished(policy: string, demand: Demand, made: Made): CapacityPlan {
  const { hosts } = made;
  const without = new Set(made.refused.map(({ session }) => session));
  const served = without.size === 0 ? demand.sessions : demand.sessions.filter(({ name }) => !without.has(name));
  return {
    policy,
    gpus: hosts.length,
    costPerHour: hosts.reduce((sum, host) => sum + host.pricePerHour, 0),
    bound: boundOf(served, demand.classes, demand.workload),
    hosts,
    refused: made.refused.toSorted((a, b) => compareText(a.session, b.session)),
    notes: [...curveNotes(demand), ...degraded(demand, hosts), ...(made.notes ?? [])],
  };
}

function curveNotes({ workload, classes, sessions }: Demand): string[] {
  const notes = new Set<string>();
  for (const session of sessions) {
    for (const from of classes) {
      const note = workload.curves.find(session.model, from.kind)?.note;
      if (note !== undefined) notes.add(note);
    }
  }
  return [...notes].sort(compareText);
}

/** Copies that had to go to one zone, or to devices that may all be revoked. */
function degraded({ sessions }: Demand, hosts: readonly CapacityHost[]): string[] {
  if (!hosts.some(host => host.revocable) && sessions.every(session => session.replicasMin <= 1)) return [];
  const zones = new Map<string, Set<string>>();
  const firm = new Set<string>();
  for (const host of hosts) {
    for (const { name } of host.sessions) {
      const own = zones.get(name);
      if (own) own.add(host.zone);
      else zones.set(name, new Set([host.zone]));
      if (!host.revocable) firm.add(name);
    }
  }
  return sessions.flatMap(({ name, replicasMin }) => {
    const own = zones.get(name);
    if (!own) return [];
    const notes: string[] = [];
    if (own.size < replicasMin) notes.push(`${name}: ${replicasMin} copies in ${own.size} zone(s), no more are left`);
    if (!firm.has(name)) notes.push(`${name}: all its devices can be revoked, no others are left`);
    return notes;
  });
}
