import { prefixId, suffixId, type Plan, type PlannedHost, type Profile } from '../../contracts/index.ts';
import { curveOf, type Curve } from '../curve.ts';
import { tenantOf } from '../demand.ts';
import type { Draft, PlannerInput } from '../planner.ts';
import { suffixesOf, type Bin, type Unit } from './unit.ts';

/** How much longer the parts of a model may take than the whole. Measurements on a machine with other work differ by less. */
const DEARER_MAX = 2;

/** Each bin as one model, on each kind on which all its parts were measured. */
export function unitProfiles(unit: Unit, input: PlannerInput, ratesHz: ReadonlyMap<string, number>): Profile[] {
  const kinds = [...new Set(input.profiles.map(({ device }) => device))];
  return kinds.flatMap(kind => {
    const of = (part: string): Profile | undefined => input.profiles.find(p => p.model === part && p.device === kind);
    const { cut, members, batchMax } = unit.group;
    const prefix = of(prefixId(cut));
    const first = of(suffixId(members[0]!, cut));
    const whole = of(members[0]!);
    if (!prefix || members.some(member => !of(suffixId(member, cut)))) return [];
    const trunk = curveOf(prefix, { batchMax });
    if (whole && isDearer([trunk, curveOf(first!, { batchMax })], curveOf(whole, { batchMax }))) return [];
    return unit.bins.flatMap(bin => {
      const suffixes = suffixesOf(unit, bin).map(suffix => of(suffix)!);
      return binProfile(bin, { prefix, trunk, suffixes, batchMax, ratesHz }) ?? [];
    });
  });
}

interface BinParts {
  readonly prefix: Profile;
  readonly trunk: Curve;
  /** By member. */
  readonly suffixes: readonly Profile[];
  readonly batchMax: number;
  readonly ratesHz: ReadonlyMap<string, number>;
}

/** ℓ_prefix(b) and what the suffixes take on average; P of all; the largest E. Undefined: no batch was measured in all parts. */
function binProfile({ id, members }: Bin, parts: BinParts): Profile | undefined {
  const { prefix, trunk, suffixes, batchMax, ratesHz } = parts;
  const heads = suffixes.map(suffix => curveOf(suffix, { batchMax }));
  const shares = sharesOf(members.map(member => ratesHz.get(member) ?? 0));
  const points = prefix.points
    .filter(({ batch }) => batch <= Math.min(...heads.map(head => head.batchMax), trunk.batchMax))
    .map(point => {
      const meanMs = trunk.latencyMs(point.batch) + usualMs(heads, shares, point.batch);
      const ephemeralBytes = Math.max(
        trunk.ephemeralBytes(point.batch),
        ...heads.map(head => head.ephemeralBytes(Math.max(head.batchMin, point.batch))),
      );
      return { ...point, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes };
    });
  if (points.length === 0) return undefined;
  return {
    ...prefix,
    model: id,
    points,
    persistentBytes: suffixes.reduce((sum, suffix) => sum + suffix.persistentBytes, prefix.persistentBytes),
    postMs: Math.max(...suffixes.map(({ postMs }) => postMs)),
  };
}

/** Two runs take so much longer than one, whatever the batch, that nothing makes up for it. */
function isDearer(parts: readonly Curve[], whole: Curve): boolean {
  const curves = [whole, ...parts];
  const [least, most] = [Math.max(...curves.map(c => c.batchMin)), Math.min(...curves.map(c => c.batchMax))];
  for (let batch = least; batch <= most; batch++) {
    const partsMs = parts.reduce((sum, part) => sum + part.latencyMs(batch), 0);
    if (partsMs <= DEARER_MAX * whole.latencyMs(batch)) return false;
  }
  return true;
}

/** Equal where nothing is known of any. */
function sharesOf(ratesHz: readonly number[]): number[] {
  const total = ratesHz.reduce((sum, rateHz) => sum + rateHz, 0);
  return ratesHz.map(rateHz => (total > 0 ? rateHz / total : 1 / ratesHz.length));
}

/** What the suffixes of a mixed batch take on average, each input being of member i with probability `shares[i]`. */
const usualMs = (heads: readonly Curve[], shares: readonly number[], batch: number): number =>
  heads.reduce((sum, head, i) => {
    const share = shares[i]!;
    const chance = 1 - (1 - share) ** batch;
    if (chance === 0) return sum;
    const count = Math.min(batch, Math.ceil((share * batch) / chance - 1e-9));
    return sum + chance * head.latencyMs(Math.max(head.batchMin, count));
  }, 0);

/** The same input with each bin in place of its members. */
export function folded(input: PlannerInput, units: readonly Unit[], profiles: readonly Profile[]): PlannerInput {
  const bins = units.flatMap(unit => unit.bins.map(bin => ({ unit, bin })));
  const binOf = new Map(bins.flatMap(one => one.bin.members.map(member => [member, one])));
  const ids = new Set(bins.map(({ bin }) => bin.id));
  return {
    ...input,
    models: new Map(
      [...input.models].map(([name, model]) => {
        const of = binOf.get(model.id);
        return [name, of ? { id: of.bin.id, batchMax: of.unit.group.batchMax } : model];
      }),
    ),
    profiles: [...input.profiles.filter(({ model }) => !ids.has(model)), ...profiles],
    hosts: input.hosts.map(host => {
      const barred = new Map(host.barred);
      const holds = new Set(host.holds);
      for (const { unit, bin } of bins) {
        const suffixes = suffixesOf(unit, bin);
        const detail = [prefixId(unit.group.cut), ...suffixes].map(part => host.barred.get(part)).find(Boolean);
        if (detail !== undefined) barred.set(bin.id, detail);
        if (suffixes.some(suffix => holds.has(suffix))) holds.add(bin.id);
      }
      return { ...host, barred, holds: [...holds] };
    }),
  };
}

/** The plan of a folded input with the parts that hosts hold, and each session with its own model. */
export function unfolded(draft: Draft, units: readonly Unit[], input: PlannerInput): Draft {
  const modelOfSession = new Map(
    input.queries.flatMap(query =>
      Object.entries(query.stages).map(([stage, { model }]) => [
        `${tenantOf(query)}.${query.name}.${stage}`,
        input.models.get(model)?.id,
      ]),
    ),
  );
  const sessions = draft.sessions.map(session => ({
    ...session,
    model: modelOfSession.get(session.name) ?? session.model,
  }));
  const hosts = draft.hosts.map(host => ({ ...host, models: partsOn(host, units) }));
  const planned = new Set(hosts.flatMap(({ kind, models }) => models.map(({ model }) => `${model} ${kind}`)));
  return {
    ...draft,
    sessions,
    hosts,
    pools: draft.pools.map(pool => ({ ...pool, groups: groupsIn(pool, units, sessions) })),
    profiles: input.profiles.filter(({ model, device }) => planned.has(`${model} ${device}`)),
  };
}

type Held = PlannedHost['models'][number];

/** Each prefix once, for the largest batch of its bins there, before its suffixes. */
function partsOn({ models }: PlannedHost, units: readonly Unit[]): Held[] {
  const parts = new Map<string, Held>();
  for (const held of models) {
    const unit = units.find(({ bins }) => bins.some(({ id }) => id === held.model));
    if (!unit) {
      parts.set(held.model, held);
      continue;
    }
    const prefix = prefixId(unit.group.cut);
    const known = parts.get(prefix);
    if (!known || known.batchMax < held.batchMax)
      parts.set(prefix, {
        ...held,
        model: prefix,
        of: unit.group.members[0]!,
        ...(unit.group.tensors ? { tensors: [...unit.group.tensors] } : {}),
      });
    const bin = unit.bins.find(({ id }) => id === held.model)!;
    for (const suffix of suffixesOf(unit, bin)) parts.set(suffix, { ...held, model: suffix });
  }
  return [...parts.values()];
}

function groupsIn(
  pool: Plan['pools'][number],
  units: readonly Unit[],
  sessions: Plan['sessions'],
): Plan['pools'][number]['groups'] {
  const here = new Set(sessions.filter(({ name }) => pool.sessions.includes(name)).map(({ model }) => model));
  return units.flatMap(({ group: { cut, members } }) => {
    const its = members.filter(member => here.has(member));
    return its.length === 0 ? [] : [{ prefix: prefixId(cut), members: its }];
  });
}
