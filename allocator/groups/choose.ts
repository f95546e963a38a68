import { prefixId, suffixId } from '../../contracts/index.ts';
import { modelRates } from '../demand.ts';
import { makePlan, type Draft, type Planned, type PlannerInput } from '../planner.ts';
import { candidatesOf, heldGroups, type Group } from './candidates.ts';
import { folded, unfolded, unitProfiles } from './folding.ts';
import { spreadUnit, unitInForce, type Unit } from './unit.ts';

/** Share of the memory for weights: another group in place of one. */
const CLEARLY_LESS = 0.95;
/** The same, for members in several places instead of all on each host: what one host has to spare then helps fewer of them. */
const SPREAD_LESS = 0.8;
/** Fewer members are not spread, unless they don't fit. */
const SPREAD_MEMBERS_MIN = 4;

/** Share of the rates that is served where the hosts don't suffice, which is found to 1/256. */
const CLEARLY_MORE = 0.01;

interface Choice {
  readonly planned: Planned;
  readonly units: readonly Unit[];
}

/**
 * {@link makePlan}, with models that share a prefix as one unit wherever that serves as many queries on no more hosts, and all
 * parts have been measured. Several cuts are tried, outer and inner groups too, and members of a large group on some of its hosts each; what needs
 * least wins. Pure.
 */
export function makeGroupedPlan(input: PlannerInput): Planned {
  const used = new Set(input.queries.flatMap(query => Object.values(query.stages).map(({ model }) => model)));
  const facts = [...input.models].flatMap(([name, model]) => (used.has(name) ? [model] : []));
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
  const ratesHz = candidates.length > 0 ? modelRates(input) : new Map<string, number>();
  const plannedWith = (units: readonly Unit[]): Choice | undefined => {
    const profiles = units.map(unit => unitProfiles(unit, input, ratesHz));
    if (profiles.some(own => own.length === 0)) return undefined;
    const planned = makePlan(folded(input, units, profiles.flat()));
    return { planned: { ...planned, draft: unfolded(planned.draft, units, input) }, units };
  };
  let best: Choice = { planned: makePlan(input), units: [] };
  for (const candidate of candidates) best = withGroup(candidate, best, { input, ratesHz, plannedWith });
  for (const { group } of best.units) best = spread(group, best, { input, ratesHz, plannedWith });
  return best.planned;
}

interface Tools {
  readonly input: PlannerInput;
  readonly ratesHz: ReadonlyMap<string, number>;
  readonly plannedWith: (units: readonly Unit[]) => Choice | undefined;
}

/** The group in place of those that it overlaps, or of what they leave of it. */
function withGroup(candidate: Group, best: Choice, { input, ratesHz, plannedWith }: Tools): Choice {
  const taken = new Set(best.units.flatMap(({ group }) => group.members));
  const rest = candidate.members.filter(member => !taken.has(member));
  const unit = (group: Group): Unit => spreadUnit(group, binsThatFit(group, input), ratesHz);
  let chosen = best;
  const consider = (units: readonly Unit[], less: number): void => {
    const choice = plannedWith(units);
    if (choice && isBetter(choice, chosen, less)) chosen = choice;
  };
  if (rest.length === candidate.members.length) {
    consider([...best.units, unit(candidate)], 1);
    return chosen;
  }
  const beside = best.units.filter(({ group }) => !group.members.some(member => candidate.members.includes(member)));
  if (rest.length > 1) consider([...best.units, unit({ ...candidate, members: rest })], 1);
  consider([...beside, unit(candidate)], CLEARLY_LESS);
  return chosen;
}

/** The group with its members spread over its hosts as in force, or anew where that is clearly better. */
function spread(group: Group, best: Choice, { input, ratesHz, plannedWith }: Tools): Choice {
  const { hosts, refused } = best.planned.draft;
  const others = best.units.filter(unit => unit.group !== group);
  const its = hosts.filter(({ models }) => models.some(({ model }) => model === prefixId(group.cut)));
  const tries: [Unit, number][] = [];
  const inForce = unitInForce(group, input.current, ratesHz);
  if (inForce) tries.push([inForce, 1]);
  const bins = Math.max(its.length, refused.length > 0 ? 2 : 1);
  if (bins > 1 && group.members.length >= SPREAD_MEMBERS_MIN)
    tries.push([spreadUnit(group, bins, ratesHz), SPREAD_LESS]);
  let chosen = best;
  for (const [unit, less] of tries) {
    const choice = plannedWith([...others, unit]);
    if (choice && isBetter(choice, chosen, less)) chosen = choice;
  }
  return chosen;
}

/** Into how many bins members have to go so that the largest host has memory for one; 1 where that can't be helped. */
function binsThatFit({ cut, members }: Group, { profiles, hosts }: PlannerInput): number {
  const fits = (bins: number): boolean =>
    hosts.some(({ kind, memoryBytes }) => {
      const of = (part: string) => profiles.find(({ model, device }) => model === part && device === kind);
      const prefix = of(prefixId(cut));
      if (!prefix) return true;
      const suffixes = members.map(member => of(suffixId(member, cut))?.persistentBytes ?? 0).toSorted((a, b) => b - a);
      // The largest ones may come together.
      const largest = suffixes.slice(0, Math.ceil(members.length / bins)).reduce((sum, bytes) => sum + bytes, 0);
      return prefix.persistentBytes + largest + prefix.points[0]!.ephemeralBytes <= memoryBytes;
    });
  for (let bins = 1; bins < members.length; bins++) if (fits(bins)) return bins;
  return 1;
}

/** Fewer queries refused, then clearly more of their rate served, then fewer hosts, then at most `less` times the memory for weights. */
function isBetter({ planned: one }: Choice, { planned: other }: Choice, less: number): boolean {
  const [refused, refusedByOther] = [one.draft.refused.length, other.draft.refused.length];
  if (refused !== refusedByOther) return refused < refusedByOther;
  if (Math.abs(one.servedShare - other.servedShare) > CLEARLY_MORE) return one.servedShare > other.servedShare;
  const [hosts, hostsOfOther] = [one.draft.hosts.length, other.draft.hosts.length];
  if (hosts !== hostsOfOther) return hosts < hostsOfOther;
  return weightBytes(one.draft) <= less * weightBytes(other.draft);
}

function weightBytes({ hosts, profiles }: Draft): number {
  const bytes = new Map(profiles.map(profile => [`${profile.model} ${profile.device}`, profile.persistentBytes]));
  return hosts.reduce(
    (sum, { kind, models }) => models.reduce((all, { model }) => all + (bytes.get(`${model} ${kind}`) ?? 0), sum),
    0,
  );
}
