import type { CapacityHost, CapacityPlan, Migration, Workload } from '../../allocator/index.ts';

const modelsOf = (host: CapacityHost | undefined): Map<string, number> => {
  const models = new Map<string, number>();
  for (const s of host?.sessions ?? []) {
    models.set(s.model, Math.max(models.get(s.model) ?? 0, s.batch));
    if (s.prefix !== undefined) models.set(s.prefix, s.prefixBatch ?? s.batch);
  }
  return models;
};

/** Session → the models that it runs on together. */
const runsOn = (plan: CapacityPlan | undefined): Map<string, string[]> =>
  new Map(
    plan?.hosts.flatMap(host =>
      host.sessions.map(s => [s.name, s.prefix === undefined ? [s.model] : [s.model, s.prefix]] as const),
    ),
  );

/**
 * Carries the moves out one by one: memory is never exceeded, a session that both plans serve has all that it runs on,
 * of the one plan or of the other, on some host, and unless something is reported as blocked each host ends with
 * exactly what the next plan gives it.
 */
export function checkSteps(
  from: CapacityPlan | undefined,
  to: CapacityPlan,
  migration: Migration,
  workload: Workload,
): string[] {
  const problems: string[] = [];
  const before = new Map(from?.hosts.map(host => [host.id, host]));
  const after = new Map(to.hosts.map(host => [host.id, host]));
  const held = new Map<string, Set<string>>();
  for (const id of new Set([...before.keys(), ...after.keys()])) {
    held.set(id, new Set(modelsOf(before.get(id)).keys()));
  }
  const [then, now] = [runsOn(from), runsOn(to)];
  const both = [...then.keys()].filter(name => now.has(name));
  const somewhere = (models: readonly string[]): boolean =>
    [...held.values()].some(each => models.every(model => each.has(model)));
  for (const move of migration.moves) {
    const models = held.get(move.host)!;
    if (move.do === 'load') {
      if (models.has(move.model)) problems.push(`${move.host}: ${move.model} is loaded twice`);
      models.add(move.model);
    } else if (!models.delete(move.model)) problems.push(`${move.host}: ${move.model} is not there to unload`);
    const host = after.get(move.host) ?? before.get(move.host)!;
    let bytes = 0;
    let ephemeral = 0;
    for (const model of models) {
      const curve = workload.curves.get(model, host.kind);
      const batch =
        modelsOf(before.get(move.host)).get(model) ?? modelsOf(after.get(move.host)).get(model) ?? curve.batchMin;
      bytes += curve.persistentBytes;
      ephemeral = Math.max(ephemeral, curve.ephemeralBytes(batch));
    }
    if (bytes + ephemeral > host.memoryBytes)
      problems.push(`${move.host}: ${bytes + ephemeral} of ${host.memoryBytes}`);
    for (const name of both) {
      if (!somewhere(then.get(name)!) && !somewhere(now.get(name)!))
        problems.push(`${name} is nowhere after ${move.host}`);
    }
  }
  if (migration.blocked.length > 0) return problems;
  for (const [id, models] of held) {
    const wanted = [...modelsOf(after.get(id)).keys()].toSorted().join(' ');
    const got = [...models].toSorted().join(' ');
    if (wanted !== got) problems.push(`${id} ends with ${got}, not ${wanted}`);
  }
  return problems;
}
