import type { Curve, Curves } from '../curve.ts';
import type { PrefixGroup, SessionDemand } from './workload.ts';

/** A member's share of a mixed batch of `batch`, inputs: expected, rounded up. */
export const memberBatch = (batch: number, rateHz: number, totalHz: number, members: number): number =>
  Math.max(1, Math.ceil((totalHz > 0 ? (batch * rateHz) / totalHz : batch / members) - 1e-9));

/**
 * ℓ(B) = ℓ_prefix(B) + Σ ℓ_suffix,i(bᵢ), bᵢ = ⌈B·rᵢ/r⌉: a mixed batch as the rates make it. A batch smaller than the
 * number of members can't hold them all: the most expensive ones are charged. P is the sum, E the largest part's: prefix
 * and suffixes run one after the other. Undefined: a part has no curve on this kind, or they have no batch in common.
 */
export function groupCurve(
  group: PrefixGroup,
  members: readonly SessionDemand[],
  kind: string,
  curves: Curves,
): Curve | undefined {
  const prefix = curves.find(group.prefix, kind);
  const parts = members.map(member => {
    const suffix = curves.find(group.suffixes.get(member.name) ?? member.model, kind);
    return suffix && { suffix, rateHz: member.rateHz };
  });
  if (!prefix || parts.some(part => part === undefined)) return undefined;
  const all = parts as { suffix: Curve; rateHz: number }[];
  const totalHz = all.reduce((sum, part) => sum + part.rateHz, 0);
  const batchOf = (batch: number, part: { suffix: Curve; rateHz: number }): number =>
    Math.max(part.suffix.batchMin, memberBatch(batch, part.rateHz, totalHz, all.length));
  const latency: number[] = [];
  const ephemeral: number[] = [];
  for (let batch = prefix.batchMin; batch <= prefix.batchMax; batch++) {
    if (all.some(part => batchOf(batch, part) > part.suffix.batchMax)) break;
    const suffixes = all.map(part => part.suffix.latencyMs(batchOf(batch, part))).sort((a, b) => b - a);
    latency.push(prefix.latencyMs(batch) + suffixes.slice(0, batch).reduce((sum, ms) => sum + ms, 0));
    const each = all.map(part => part.suffix.ephemeralBytes(batchOf(batch, part)));
    ephemeral.push(Math.max(prefix.ephemeralBytes(batch), ...each));
  }
  if (latency.length === 0) return undefined;
  const at = (table: readonly number[], batch: number): number => {
    const value = table[batch - prefix.batchMin];
    if (value === undefined) throw new RangeError(`${group.prefix} with suffixes on ${kind}: no batch of ${batch}`);
    return value;
  };
  const suffixes = new Map(all.map(part => [part.suffix.model, part.suffix]));
  return {
    model: [group.prefix, ...suffixes.keys()].join('+'),
    kind,
    batchMin: prefix.batchMin,
    batchMax: prefix.batchMin + latency.length - 1,
    latencyMs: batch => at(latency, batch),
    ephemeralBytes: batch => at(ephemeral, batch),
    persistentBytes: [...suffixes.values()].reduce((sum, s) => sum + s.persistentBytes, prefix.persistentBytes),
    aroundMs: Math.max(prefix.aroundMs, ...all.map(part => prefix.aroundMs + part.suffix.aroundMs)),
    note: undefined,
  };
}
