import type { Curve, Curves } from '../../allocator/index.ts';
import type { PrefixGroup } from '../../allocator/capacity/index.ts';

/**
 * Curves in which a session of a prefix group has one of its own too: where its whole model was not profiled, it is its
 * prefix followed by its suffix. Policies that don't batch prefixes need it.
 */
export function withWholes(
  curves: Curves,
  groups: readonly PrefixGroup[],
  modelOf: (session: string) => string | undefined,
): Curves {
  const parts = new Map<string, { prefix: string; suffix: string }>();
  for (const { members, prefix, suffixes } of groups) {
    for (const member of members) {
      const [model, suffix] = [modelOf(member), suffixes.get(member)];
      if (model !== undefined && suffix !== undefined) parts.set(model, { prefix, suffix });
    }
  }
  const made = new Map<string, Curve | undefined>();
  const find = (model: string, kind: string): Curve | undefined => {
    const measured = curves.find(model, kind);
    const part = parts.get(model);
    if (measured || !part) return measured;
    const key = `${model}\0${kind}`;
    if (!made.has(key)) made.set(key, whole(model, curves.find(part.prefix, kind), curves.find(part.suffix, kind)));
    return made.get(key);
  };
  return { find, get: (model, kind) => find(model, kind) ?? curves.get(model, kind) };
}

function whole(model: string, prefix: Curve | undefined, suffix: Curve | undefined): Curve | undefined {
  if (!prefix || !suffix) return undefined;
  const batchMin = Math.max(prefix.batchMin, suffix.batchMin);
  const batchMax = Math.min(prefix.batchMax, suffix.batchMax);
  if (batchMin > batchMax) return undefined;
  return {
    model,
    kind: prefix.kind,
    batchMin,
    batchMax,
    latencyMs: batch => prefix.latencyMs(batch) + suffix.latencyMs(batch),
    ephemeralBytes: batch => Math.max(prefix.ephemeralBytes(batch), suffix.ephemeralBytes(batch)),
    persistentBytes: prefix.persistentBytes + suffix.persistentBytes,
    aroundMs: prefix.aroundMs + suffix.aroundMs,
    note: undefined,
  };
}
