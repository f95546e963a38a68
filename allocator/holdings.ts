import type { PlannedHost, Resident } from '../contracts/index.ts';
import type { Draft } from './planner.ts';

/** What a host says that it holds. */
export interface Holdings {
  readonly memoryBytes: number;
  readonly residents: readonly Resident[];
}

/** What hosts hold, as if a plan gave it to them: what stays where it isn't known which plan uses it. */
export const asPlanned = (holdings: ReadonlyMap<string, Holdings>): PlannedHost[] =>
  [...holdings].map(([host, { residents }]) => ({
    host,
    kind: '',
    models: residents
      .filter(({ state }) => state !== 'failed' && state !== 'releasing')
      .map(({ model, lane, batches }) => ({ model, lane, batches, batchMax: Math.max(1, ...batches) })),
  }));

/** Models on the host that neither plan gives it: what may go before anything is loaded. */
export const garbage = (held: Holdings, ...plans: readonly (PlannedHost | undefined)[]): string[] => {
  const wanted = new Set(plans.flatMap(plan => plan?.models.map(m => m.model) ?? []));
  return held.residents.map(r => r.model).filter(model => !wanted.has(model));
};

/**
 * What the host would use with all of these: ΣP + the largest E. A resident's own figures count before the profile's.
 */
export function memoryWith(
  models: PlannedHost['models'],
  kind: string,
  held: Holdings,
  { profiles }: Pick<Draft, 'profiles'>,
): number {
  let persistent = 0;
  let ephemeral = 0;
  for (const { model, batchMax } of models) {
    const resident = held.residents.find(r => r.model === model && r.state === 'resident');
    const profile = profiles.find(p => p.model === model && p.device === kind);
    const point = profile?.points.find(p => p.batch >= batchMax) ?? profile?.points.at(-1);
    persistent += resident?.persistentBytes ?? profile?.persistentBytes ?? 0;
    ephemeral = Math.max(
      ephemeral,
      resident?.ephemeralBytes ?? 0,
      Math.min(point?.ephemeralBytes ?? 0, held.memoryBytes),
    );
  }
  return persistent + ephemeral;
}
