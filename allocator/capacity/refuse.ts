import type { DeviceClass } from './supply.ts';
import { curveOn, type Unit } from './unit.ts';
import type { RefusedSession, Workload } from './workload.ts';

/** Why no device on offer can serve the unit, and with which objective one could. */
export function refusal(unit: Unit, classes: readonly DeviceClass[], workload: Workload): RefusedSession {
  const session = unit.members[0]!;
  const refuse = (reason: string, nearestSloMs?: number): RefusedSession => ({
    session: session.name,
    reason,
    nearestSloMs,
  });
  if (classes.length === 0) return refuse('there is no device; add one to devices');
  const kinds = [...new Set(classes.map(from => from.kind))];
  const profiled = classes.filter(from => curveOn(unit, from.kind, workload.curves));
  if (profiled.length === 0) {
    return refuse(`no profile of ${session.model} on ${kinds.join(', ')}; measure one or add it to profiles`);
  }
  const nearest = nearestSloMs(unit, classes, workload);
  if (nearest === undefined) {
    const least = Math.min(...profiled.map(from => bytesLeast(unit, from, workload)));
    const most = Math.max(...profiled.map(from => from.memoryBytes));
    return refuse(
      `${session.model} needs ${megabytes(least)} at its smallest batch, the largest device that it is profiled on has ` +
        megabytes(most),
    );
  }
  return refuse(`${session.sloMs} ms is less than its smallest batch takes on any device that holds it`, nearest);
}

/** The least objective that some device could hold for this unit alone: ℓ of the smallest batch + what is around it. */
function nearestSloMs(unit: Unit, classes: readonly DeviceClass[], workload: Workload): number | undefined {
  let nearest: number | undefined;
  for (const from of classes) {
    const curve = curveOn(unit, from.kind, workload.curves);
    if (!curve || bytesLeast(unit, from, workload) > from.memoryBytes) continue;
    const ms = curve.latencyMs(curve.batchMin) + curve.aroundMs;
    nearest = Math.min(nearest ?? Infinity, ms);
  }
  return nearest;
}

function bytesLeast(unit: Unit, from: DeviceClass, workload: Workload): number {
  const curve = curveOn(unit, from.kind, workload.curves);
  return curve ? curve.persistentBytes + curve.ephemeralBytes(curve.batchMin) : Infinity;
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
