import {
  CROSSING_MAX,
  cutOf,
  hashOfCut,
  isPrefix,
  modelOf,
  prefixId,
  suffixId,
  type Cut,
  type Plan,
  type PlannedHost,
  type Profile,
} from '../contracts/index.ts';
import { curveOf, type Curve } from './curve.ts';
import { tenantOf, type ModelFacts } from './demand.ts';
import { compareText } from './packing.ts';
import { makePlan, type Draft, type Planned, type PlannerInput } from './planner.ts';

/** Models that run behind one prefix. */
interface Group {
  readonly cut: string;
  /** Ids, sorted; the prefix can be taken from any. */
  readonly members: readonly string[];
  /** What the prefix gives, as all members together need it; undefined: what crosses this cut of any of them. */
  readonly tensors?: readonly string[] | undefined;
  readonly batchMax: number;
}

/** One that could be. */
export interface Candidate extends Group {
  /** Declared for emulated devices, not found in the graph. */
  readonly emulated: boolean;
}

const CANDIDATES_MAX = 8;
/** Share of the memory for weights. */
const CLEARLY_LESS = 0.95;
/** A prefix with less of the work saves less than a second run costs. */
const COMPUTE_SHARE_MIN = 0.1;
/** How much longer the parts of a model may take than the whole. Measurements on a machine with other work differ by less. */
const DEARER_MAX = 2;

interface Shared {
  readonly cut: Cut;
  readonly members: ModelFacts[];
}

/** What crosses a shallower cut is at most this share of what crosses the deepest, or it is no alternative. */
const CROSSING_SHARE_MAX = 0.5;
/** For one input: less than this is copied in no time, and measuring an alternative takes some. */
const CROSSING_BYTES_MIN = 250_000;

/**
 * For each set of models that share cuts the deepest of these, and the deepest of those that clearly less crosses: the deepest of all
 * sets first, of these the ones that save most work.
 */
export function candidatesOf(models: readonly ModelFacts[]): Candidate[] {
  const bySet = new Map<string, Shared[]>();
  for (const found of sharedBy(models)) {
    const key = `${found.cut.emulated} ${found.members.map(({ id }) => id).join(' ')}`;
    bySet.set(key, [...(bySet.get(key) ?? []), found]);
  }
  const choices = [...bySet.values()].map(shared => choiceOf(shared));
  const inOrder = (some: readonly Shared[]): Shared[] =>
    some.toSorted((a, b) => savedBy(b) - savedBy(a) || compareText(a.cut.cut, b.cut.cut));
  return [...inOrder(choices.flatMap(one => one.slice(0, 1))), ...inOrder(choices.flatMap(one => one.slice(1)))]
    .slice(0, CANDIDATES_MAX)
    .map(({ cut: { cut, emulated, tensors }, members }) => {
      const batchMax = Math.min(...members.map(member => member.batchMax));
      return {
        cut,
        emulated,
        members: members.map(({ id }) => id),
        tensors: tensors?.map(one => one.tensor),
        batchMax,
      };
    });
}

/** For each trunk that several models have, a cut behind it that does for all. */
function sharedBy(models: readonly ModelFacts[]): Shared[] {
  const byTrunk = new Map<string, { cuts: Cut[]; members: ModelFacts[] }>();
  for (const model of models.toSorted((a, b) => compareText(a.id, b.id))) {
    for (const cut of model.cuts ?? []) {
      if (cut.computeShare < COMPUTE_SHARE_MIN) continue;
      const key = cut.trunk ?? cut.cut;
      const known = byTrunk.get(key);
      known?.cuts.push(cut);
      known?.members.push(model);
      if (!known) byTrunk.set(key, { cuts: [cut], members: [model] });
    }
  }
  return [...byTrunk.values()].flatMap(({ cuts, members }) => {
    const cut = members.length < 2 ? undefined : united(cuts);
    return cut ? [{ cut, members }] : [];
  });
}

/** The cut through all tensors that any of these models takes behind one trunk; undefined where they are too many. */
function united(cuts: readonly Cut[]): Cut | undefined {
  const [first] = cuts;
  if (cuts.every(({ cut }) => cut === first!.cut)) return first;
  const tensors = [...new Map(cuts.flatMap(cut => cut.tensors ?? []).map(one => [one.tensor, one])).values()];
  if (tensors.length > CROSSING_MAX) return undefined;
  const { crossingBytes: _, ...rest } = first!;
  const cut = hashOfCut(tensors.map(({ tensor }) => tensor)).slice(0, first!.cut.length);
  const isKnown = tensors.every(({ bytes }) => bytes !== undefined);
  const crossingBytes = tensors.reduce((sum, { bytes = 0 }) => sum + bytes, 0);
  return { ...rest, cut, tensors, ...(isKnown ? { crossingBytes } : {}) };
}

/** One or two cuts of the same models. */
function choiceOf(shared: readonly Shared[]): Shared[] {
  const [deepest, ...rest] = shared.toSorted((a, b) => b.cut.computeShare - a.cut.computeShare);
  const { crossingBytes = 0 } = deepest!.cut;
  if (crossingBytes < CROSSING_BYTES_MIN) return [deepest!];
  const lighter = rest.find(
    ({ cut }) => cut.crossingBytes !== undefined && cut.crossingBytes <= CROSSING_SHARE_MAX * crossingBytes,
  );
  return lighter ? [deepest!, lighter] : [deepest!];
}

const savedBy = ({ cut, members }: { cut: Cut; members: readonly unknown[] }): number =>
  cut.computeShare * (members.length - 1);

/**
 * {@link makePlan}, with models that share a prefix as one unit wherever that serves as many queries on no more hosts, and all
 * parts have been measured. Several cuts are tried, outer and inner groups too; what needs least wins. Pure.
 */
export function makeGroupedPlan(input: PlannerInput): Planned {
  const used = new Set(input.queries.flatMap(query => Object.values(query.stages).map(({ model }) => model)));
  const facts = [...input.models].flatMap(([name, model]) => (used.has(name) ? [model] : []));
  let best = { planned: makePlan(input), groups: [] as readonly Group[] };
  const measured = new Set(input.profiles.map(({ model }) => model));
  const isMeasured = ({ cut, members }: Group): boolean =>
    measured.has(prefixId(cut)) && members.every(member => measured.has(suffixId(member, cut)));
  const found = candidatesOf(facts).filter(isMeasured);
  const held = heldGroups(input.current, facts, measured);
  const isHeld = ({ cut }: Group): boolean => held.some(other => other.cut === cut);
  // What is in force comes first, so that it stays where another one isn't clearly better.
  const candidates = [
    ...found.filter(isHeld),
    ...held.filter(one => !found.some(other => other.cut === one.cut)),
    ...found.filter(one => !isHeld(one)),
  ];
  for (const candidate of candidates) {
    const beside = best.groups.filter(group => !group.members.some(member => candidate.members.includes(member)));
    const groups = [...beside, candidate];
    const profiles = groups.flatMap(group => groupProfiles(group, input));
    if (!profiles.some(({ model }) => model === prefixId(candidate.cut))) continue;
    const { draft, notes } = makePlan(folded(input, groups, profiles));
    const planned = { draft: unfolded(draft, groups, input), notes };
    const isTaken = beside.length < best.groups.length ? isClearlyBetter : isNoWorse;
    if (isTaken(planned.draft, best.planned.draft)) best = { planned, groups };
  }
  return best.planned;
}

/**
 * The groups in force, with those of their members that are still asked for: they go on while a model that joins waits to be measured, or
 * when one has left without which less would have to cross the cut.
 */
function heldGroups(current: Plan | undefined, facts: readonly ModelFacts[], measured: ReadonlySet<string>): Group[] {
  const byPrefix = new Map<string, Set<string>>();
  for (const { prefix, members } of current?.pools.flatMap(pool => pool.groups) ?? [])
    byPrefix.set(prefix, new Set([...(byPrefix.get(prefix) ?? []), ...members]));
  return [...byPrefix].flatMap(([prefix, asked]): Group[] => {
    const cut = cutOf(prefix)!;
    const own = facts
      .filter(({ id }) => asked.has(id) && measured.has(suffixId(id, cut)))
      .toSorted((a, b) => compareText(a.id, b.id));
    const isNeeded = own.length > 1 || own.some(({ id }) => !measured.has(id));
    if (!isNeeded || !measured.has(prefix)) return [];
    const { tensors } = current!.hosts.flatMap(host => host.models).find(({ model }) => model === prefix) ?? {};
    const members = own.map(({ id }) => id);
    return [{ cut, members, tensors, batchMax: Math.min(...own.map(({ batchMax }) => batchMax)) }];
  });
}

/** Fewer queries refused, then fewer hosts, then no more memory for weights. */
function isNoWorse(one: Draft, other: Draft): boolean {
  if (one.refused.length !== other.refused.length) return one.refused.length < other.refused.length;
  if (one.hosts.length !== other.hosts.length) return one.hosts.length < other.hosts.length;
  return weightBytes(one) <= weightBytes(other);
}

/** Another group in place of one: then a little less memory is no reason. */
function isClearlyBetter(one: Draft, other: Draft): boolean {
  if (one.refused.length !== other.refused.length || one.hosts.length !== other.hosts.length)
    return isNoWorse(one, other);
  return weightBytes(one) <= CLEARLY_LESS * weightBytes(other);
}

function weightBytes({ hosts, profiles }: Draft): number {
  const bytes = new Map(profiles.map(profile => [`${profile.model} ${profile.device}`, profile.persistentBytes]));
  return hosts.reduce(
    (sum, { kind, models }) => models.reduce((all, { model }) => all + (bytes.get(`${model} ${kind}`) ?? 0), sum),
    0,
  );
}

/** The group as one model, on each kind on which all its parts were measured. */
function groupProfiles({ cut, members, batchMax }: Group, { profiles }: PlannerInput): Profile[] {
  const kinds = [...new Set(profiles.map(({ device }) => device))];
  return kinds.flatMap(kind => {
    const of = (part: string): Profile | undefined => profiles.find(p => p.model === part && p.device === kind);
    const prefix = of(prefixId(cut));
    const suffixes = members.flatMap(member => of(suffixId(member, cut)) ?? []);
    if (!prefix || suffixes.length < members.length) return [];
    const trunk = curveOf(prefix, { batchMax });
    const heads = suffixes.map(suffix => curveOf(suffix, { batchMax }));
    const whole = of(members[0]!);
    if (whole && isDearer([trunk, heads[0]!], curveOf(whole, { batchMax }))) return [];
    return [
      {
        ...prefix,
        points: prefix.points
          .filter(({ batch }) => batch <= Math.min(...heads.map(head => head.batchMax), trunk.batchMax))
          .map(point => {
            const meanMs = trunk.latencyMs(point.batch) + usualMs(heads, point.batch);
            const ephemeralBytes = Math.max(
              trunk.ephemeralBytes(point.batch),
              ...heads.map(head => head.ephemeralBytes(Math.max(head.batchMin, point.batch))),
            );
            return { ...point, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes };
          }),
        persistentBytes: suffixes.reduce((sum, suffix) => sum + suffix.persistentBytes, prefix.persistentBytes),
        postMs: Math.max(...suffixes.map(({ postMs }) => postMs)),
      },
    ].filter(({ points }) => points.length > 0);
  });
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

/** What the suffixes of a mixed batch take on average when members come equally often, which takes the most runs. */
function usualMs(heads: readonly Curve[], batch: number): number {
  const share = 1 / heads.length;
  const chance = 1 - (1 - share) ** batch;
  const count = Math.ceil((share * batch) / chance - 1e-9);
  return heads.reduce((sum, head) => sum + chance * head.latencyMs(Math.max(head.batchMin, count)), 0);
}

/** The same input with each group in place of its members. */
function folded(input: PlannerInput, groups: readonly Group[], profiles: readonly Profile[]): PlannerInput {
  const groupOf = new Map(groups.flatMap(group => group.members.map(member => [member, group])));
  return {
    ...input,
    models: new Map(
      [...input.models].map(([name, model]) => {
        const group = groupOf.get(model.id);
        return [name, group ? { id: prefixId(group.cut), batchMax: group.batchMax } : model];
      }),
    ),
    profiles: [
      ...input.profiles.filter(({ model }) => !groups.some(({ cut }) => prefixId(cut) === model)),
      ...profiles,
    ],
    hosts: input.hosts.map(host => {
      const barred = new Map(host.barred);
      for (const { cut, members } of groups)
        for (const member of members) {
          const detail = host.barred.get(suffixId(member, cut));
          if (detail !== undefined) barred.set(prefixId(cut), detail);
        }
      return { ...host, barred };
    }),
  };
}

/** The plan of a folded input with the parts that hosts hold, and each session with its own model. */
function unfolded(draft: Draft, groups: readonly Group[], input: PlannerInput): Draft {
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
  const hosts = draft.hosts.map(host => ({ ...host, models: host.models.flatMap(held => partsOf(held, groups)) }));
  const planned = new Set(hosts.flatMap(({ kind, models }) => models.map(({ model }) => `${model} ${kind}`)));
  return {
    ...draft,
    sessions,
    hosts,
    pools: draft.pools.map(pool => ({ ...pool, groups: groupsIn(pool, groups, sessions) })),
    profiles: input.profiles.filter(({ model, device }) => planned.has(`${model} ${device}`)),
  };
}

function partsOf(held: PlannedHost['models'][number], groups: readonly Group[]): PlannedHost['models'] {
  const group = groups.find(({ cut }) => prefixId(cut) === held.model);
  if (!group) return [held];
  const suffixes = group.members.map(member => ({ ...held, model: suffixId(member, group.cut) }));
  const { tensors } = group;
  return [{ ...held, of: group.members[0]!, ...(tensors ? { tensors: [...tensors] } : {}) }, ...suffixes];
}

function groupsIn(
  pool: Plan['pools'][number],
  groups: readonly Group[],
  sessions: Plan['sessions'],
): Plan['pools'][number]['groups'] {
  const here = new Set(sessions.filter(({ name }) => pool.sessions.includes(name)).map(({ model }) => model));
  return groups.flatMap(({ cut, members }) => {
    const its = members.filter(member => here.has(member));
    return its.length === 0 ? [] : [{ prefix: prefixId(cut), members: its }];
  });
}

/** Models whose requests a host can serve with what it holds. */
export const servedBy = ({ models }: PlannedHost): string[] =>
  models.filter(({ model }) => !isPrefix(model)).map(({ model }) => modelOf(model));
