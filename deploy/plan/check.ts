import type { Profile } from '../../contracts/index.ts';
import { didYouMean, nearest, type Path } from '../documents/index.ts';
import type { Report } from './read.ts';
import type { QueryEntry, StageEntry, WorkloadDocument } from './schema.ts';

/** More whole devices than any planner should put into a list: usually a rate per day taken for one per second. */
const DEVICES_MAX = 1_000_000;

/** Planned in a minute or two with 3 GB (docs/planning.md); more, and Node's own limit of memory ends it. */
const SESSIONS_MAX = 1_000_000;

/** What the parts of a workload say of each other: names that don't exist, the same name twice, circles, missing profiles. */
export function checkWorkload(document: WorkloadDocument, profiles: readonly Profile[], report: Report): void {
  const { devices, sessions = [], queries = [], prefixes = [] } = document;
  if (sessions.length + queries.length === 0) {
    report('error', [], 'has neither sessions nor queries', 'add sessions: [{ name, model, sloMs, rateHz }]');
  }
  const count = queries.reduce((sum, query) => sum + Object.keys(query.stages).length, sessions.length);
  if (count > SESSIONS_MAX) {
    const remedy = 'write sessions of one model with nearly the same objective as one, with the sum of their rates';
    report('error', ['sessions'], `${count} sessions and stages, at most ${SESSIONS_MAX} are planned`, remedy);
    return;
  }
  const facts = factsOf(document, profiles);
  const kinds = [...new Set(devices.map(device => device.kind))];
  devices.forEach(({ kind }, i) => {
    if (profiles.some(profile => profile.device === kind)) return;
    const measured = [...new Set(profiles.map(profile => profile.device))];
    const remedy = didYouMean(kind, measured, 'devices with profiles');
    report('warning', ['devices', i, 'kind'], `no profile was measured on "${kind}": it can't be used`, remedy);
  });

  const names = new Map<string, Path>();
  const once = (name: string, path: Path): void => {
    const other = names.get(name);
    if (other)
      report(
        'error',
        path,
        `"${name}" is already the name of ${other.slice(0, -1).join(' ')}`,
        'give each its own name',
      );
    else names.set(name, path);
  };
  const grouped = new Map(prefixes.flatMap(group => group.members.map(member => [member, group] as const)));
  const checkModel = (model: string, path: Path): boolean => {
    if (facts.some(fact => fact.model === model && kinds.includes(fact.device))) return true;
    const elsewhere = profiles.filter(profile => profile.model === model).map(profile => profile.device);
    const detail = `no profile of model ${model} on ${kinds.length === 1 ? 'device' : 'any of the devices'} ${kinds.join(', ')}`;
    const models = [...new Set(facts.map(fact => fact.model))];
    const near = nearest(model, models);
    const remedy =
      elsewhere.length > 0
        ? `it was measured on ${[...new Set(elsewhere)].join(', ')}; measure it there too: ganglion profile ${model}`
        : near === undefined
          ? `measure one: ganglion profile ${model}; there are: ${models.join(', ')}`
          : `did you mean "${near}"?`;
    report('error', path, detail, remedy);
    return false;
  };

  const known = new Map<string, boolean>();
  const least = new Map<string, number>();
  for (const { model, leastMs } of facts) least.set(model, Math.min(least.get(model) ?? Infinity, leastMs));
  sessions.forEach((session, i) => {
    once(session.name, ['sessions', i, 'name']);
    // Checked once per model: there may be a million sessions.
    const key = session.model;
    if (grouped.has(session.name)) return;
    if (!known.has(key)) known.set(key, checkModel(key, ['sessions', i, 'model']));
    const leastMs = least.get(key);
    if (leastMs !== undefined && session.sloMs < leastMs) {
      const remedy = `the nearest objective that could be met alone on a device is ${Math.ceil(leastMs * 10) / 10} ms`;
      const detail = `${session.sloMs} ms can't be met: one input of ${key} takes ${leastMs.toFixed(1)} ms`;
      report('warning', ['sessions', i, 'sloMs'], detail, remedy);
    }
  });
  queries.forEach((query, i) => {
    once(query.name, ['queries', i, 'name']);
    for (const name of Object.keys(query.stages)) once(`${query.name}.${name}`, ['queries', i, 'stages', name]);
    checkStages(query, ['queries', i], report);
    for (const [name, stage] of Object.entries(query.stages)) {
      if (!grouped.has(`${query.name}.${name}`)) checkModel(stage.model, ['queries', i, 'stages', name, 'model']);
    }
  });
  checkPrefixes(document, names, checkModel, report);
  checkSize(document, facts, report);
}

/** What one profile means for one model: the fastest answer and the most requests that a device could ever give. */
interface Fact {
  readonly model: string;
  readonly device: string;
  readonly leastMs: number;
  readonly bestHz: number;
}

function factsOf(document: WorkloadDocument, profiles: readonly Profile[]): Fact[] {
  const used = new Set(document.devices.map(device => device.kind));
  return profiles
    .filter(profile => used.has(profile.device))
    .map(({ model, device, points, preMs, postMs }) => ({
      model,
      device,
      leastMs: Math.min(...points.map(point => point.meanMs + point.stdMs)) + preMs + postMs,
      bestHz: Math.max(...points.map(point => (1000 * point.batch) / point.meanMs)),
    }));
}

export const parentsOf = (stage: StageEntry): readonly string[] =>
  stage.from === undefined ? [] : typeof stage.from === 'string' ? [stage.from] : stage.from;

function checkStages(query: QueryEntry, at: Path, report: Report): void {
  const { stages } = query;
  const names = Object.keys(stages);
  const problemsBefore = { found: false };
  const bad = (path: Path, detail: string, remedy?: string): void => {
    problemsBefore.found = true;
    report('error', [...at, 'stages', ...path], detail, remedy);
  };
  for (const [name, stage] of Object.entries(stages)) {
    const parents = parentsOf(stage);
    parents.forEach((parent, i) => {
      const here = typeof stage.from === 'string' ? [name, 'from'] : [name, 'from', i];
      const others = names.filter(other => other !== name);
      if (!Object.hasOwn(stages, parent))
        bad(here, `there is no stage "${parent}"`, didYouMean(parent, others, 'stages'));
      else if (parents.indexOf(parent) !== i)
        bad(here, `"${parent}" is listed twice`, 'use fanout for several requests per result');
    });
    if (stage.fanout === undefined) continue;
    if (parents.length === 0)
      bad([name, 'fanout'], 'has no effect without `from`', 'name the stage whose results it reads');
    else if (typeof stage.fanout === 'object') {
      for (const parent of Object.keys(stage.fanout)) {
        if (!parents.includes(parent))
          bad([name, 'fanout', parent], `is not in \`from\``, didYouMean(parent, parents, 'from'));
      }
    }
  }
  if (problemsBefore.found) return;
  const circle = circleOf(stages);
  if (circle) {
    bad(
      [circle[0]!, 'from'],
      `stages wait for each other: ${[...circle, circle[0]].join(' from ')}`,
      'let one of them read the frame: remove its `from`',
    );
  }
}

/** The first circle of stages, each reading the next one. */
function circleOf(stages: QueryEntry['stages']): string[] | undefined {
  const done = new Set<string>();
  const walk = (name: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(name)) return trail.slice(trail.indexOf(name));
    if (done.has(name)) return undefined;
    for (const parent of parentsOf(stages[name]!)) {
      const circle = walk(parent, [...trail, name]);
      if (circle) return circle;
    }
    done.add(name);
    return undefined;
  };
  for (const name of Object.keys(stages)) {
    const circle = walk(name, []);
    if (circle) return circle;
  }
  return undefined;
}

function checkPrefixes(
  { prefixes = [], queries = [] }: WorkloadDocument,
  names: ReadonlyMap<string, Path>,
  checkModel: (model: string, path: Path) => boolean,
  report: Report,
): void {
  const queryNames = new Set(queries.map(query => query.name));
  const taken = new Map<string, number>();
  prefixes.forEach(({ members, prefix, suffixes }, i) => {
    const here = ['prefixes', i];
    checkModel(prefix, [...here, 'prefix']);
    members.forEach((member, j) => {
      const at = [...here, 'members', j];
      const choice = [...names.keys()].filter(name => !queryNames.has(name));
      if (!names.has(member) || queryNames.has(member)) {
        report('error', at, `there is no session "${member}"`, didYouMean(member, choice.slice(0, 1000), 'sessions'));
      } else if (taken.has(member)) {
        report(
          'error',
          at,
          `"${member}" is already a member of prefixes[${taken.get(member)}]`,
          'a session runs behind one prefix',
        );
      }
      taken.set(member, i);
      const suffix = Object.hasOwn(suffixes, member) ? suffixes[member] : undefined;
      if (suffix === undefined)
        report('error', [...here, 'suffixes'], `lacks "${member}"`, `write: ${member}: <name of a profile>`);
      else checkModel(suffix, [...here, 'suffixes', member]);
    });
    for (const name of Object.keys(suffixes)) {
      if (members.includes(name)) continue;
      report('error', [...here, 'suffixes', name], 'is not a member', didYouMean(name, members, 'members'), 'key');
    }
  });
}

function checkSize({ sessions = [], queries = [] }: WorkloadDocument, facts: readonly Fact[], report: Report): void {
  const best = new Map<string, number>();
  for (const { model, bestHz } of facts) best.set(model, Math.max(best.get(model) ?? 0, bestHz));
  const check = (model: string, rateHz: number, path: Path): void => {
    const devices = rateHz / (best.get(model) ?? Number.POSITIVE_INFINITY);
    if (devices <= DEVICES_MAX) return;
    const remedy = 'rates are per second; is this one per hour or day?';
    report(
      'error',
      path,
      `${rateHz} requests a second take ${Math.ceil(devices)} devices, at most ${DEVICES_MAX} are planned`,
      remedy,
    );
  };
  sessions.forEach((session, i) => check(session.model, session.rateHz, ['sessions', i, 'rateHz']));
  queries.forEach((query, i) => {
    for (const { model } of Object.values(query.stages)) check(model, query.rateHz, ['queries', i, 'rateHz']);
  });
}
