import { ConfigError } from '../../contracts/index.ts';
import type { Curve, Curves } from '../curve.ts';
import type { Load } from '../packing.ts';
import { groupCurve } from './prefix.ts';
import type { PrefixGroup, RefusedSession, SessionDemand, Workload } from './workload.ts';

/** What is planned as one: a session, or the sessions of a prefix group, whose batches are mixed. */
export interface Unit {
  /** Unique: the session's name, or those of all members. */
  readonly name: string;
  readonly members: readonly SessionDemand[];
  readonly group: PrefixGroup | undefined;
  /** The tightest objective. */
  readonly sloMs: number;
  readonly rateHz: number;
  /** Standard deviation of the rate over its mean. */
  readonly variation: number;
  readonly replicasMin: number;
}

/** A unit, or a part of its rate, on one kind of device. */
export interface Work extends Load {
  readonly unit: Unit;
}

/** A rate of nothing keeps the model warm. Too low to cost anything, and more than {@link pack} rounds up to when cut. */
export const RATE_LEAST_HZ = 1e-3;

/** Sessions that can be planned, and those whose numbers make no sense, with what is wrong. */
export function sane(workload: Workload): { sessions: SessionDemand[]; refused: RefusedSession[] } {
  for (const [i, device] of workload.devices.entries()) {
    const at = (field: string, detail: string): ConfigError =>
      new ConfigError(detail, { field: `devices[${i}].${field}`, remedy: 'give a number of 0 or more' });
    if (!(device.count >= 0)) throw at('count', `${device.count} is no number of devices`);
    if (!(device.memoryBytes >= 0)) throw at('memoryBytes', `${device.memoryBytes} is no amount of memory`);
    if (!(device.pricePerHour >= 0 && device.pricePerHour < Infinity)) {
      throw at('pricePerHour', `${device.pricePerHour} is no price`);
    }
  }
  const sessions: SessionDemand[] = [];
  const refused: RefusedSession[] = [];
  const names = new Set<string>();
  for (const [i, session] of workload.sessions.entries()) {
    if (names.has(session.name)) {
      throw new ConfigError(`there are two sessions called ${session.name}`, {
        field: `sessions[${i}].name`,
        remedy: 'give each its own name',
      });
    }
    names.add(session.name);
    const reason = oddity(session);
    if (reason === undefined) sessions.push(session);
    else refused.push({ session: session.name, reason, nearestSloMs: undefined });
  }
  return { sessions, refused };
}

function oddity(session: SessionDemand): string | undefined {
  const { rateHz, sloMs, rateVariation, priority, replicasMin } = session;
  if (!(rateHz >= 0 && rateHz < Infinity)) return `rateHz: ${rateHz} is no rate; give a number of 0 or more`;
  if (!(sloMs > 0 && sloMs < Infinity)) return `sloMs: ${sloMs} is no objective; give a number of ms above 0`;
  if (!(rateVariation >= 0 && rateVariation < Infinity)) return `rateVariation: ${rateVariation} must be 0 or more`;
  if (!Number.isFinite(priority)) return `priority: ${priority} must be a number`;
  if (!(replicasMin >= 0 && replicasMin < Infinity)) return `replicasMin: ${replicasMin} must be 0 or more`;
  return undefined;
}

/** Sessions as units, by name. Groups of one, of none, or of unknown sessions are no groups. */
export function unitsOf(
  sessions: readonly SessionDemand[],
  prefixes: readonly PrefixGroup[],
  together: (group: PrefixGroup, members: readonly SessionDemand[]) => boolean,
): Unit[] {
  const left = new Map(sessions.map(session => [session.name, session]));
  const units: Unit[] = [];
  for (const group of prefixes) {
    const members = [...new Set(group.members)].flatMap(name => left.get(name) ?? []);
    if (members.length < 2 || !together(group, members)) continue;
    for (const member of members) left.delete(member.name);
    units.push(unitOf(members, group));
  }
  for (const session of left.values()) units.push(unitOf([session], undefined));
  return units.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

export function unitOf(members: readonly SessionDemand[], group: PrefixGroup | undefined): Unit {
  const rateHz = Math.max(
    RATE_LEAST_HZ,
    members.reduce((sum, m) => sum + m.rateHz, 0),
  );
  const variance = members.reduce((sum, m) => sum + (m.rateVariation * m.rateHz) ** 2, 0);
  return {
    name: members.map(m => m.name).join('+'),
    members,
    group,
    sloMs: Math.min(...members.map(m => m.sloMs)),
    rateHz,
    variation: Math.sqrt(variance) / rateHz,
    replicasMin: Math.max(1, ...members.map(m => Math.ceil(m.replicasMin))),
  };
}

/** The unit's curve on a kind of device; undefined: not profiled there. */
export const curveOn = (unit: Unit, kind: string, curves: Curves): Curve | undefined =>
  unit.group ? groupCurve(unit.group, unit.members, kind, curves) : curves.find(unit.members[0]!.model, kind);

/** The unit's load on a kind: its objective is that of the member with the least, less what isn't the device's. */
export function workOn(unit: Unit, kind: string, curves: Curves): Work | undefined {
  const curve = curveOn(unit, kind, curves);
  if (!curve) return undefined;
  const deviceMs = unit.sloMs - curve.aroundMs;
  return { name: unit.name, rateHz: unit.rateHz, deviceMs, curve, unit };
}
