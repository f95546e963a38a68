import { prefixId, suffixId, type ModelDocument, type Profile, type StoredModel } from '../../contracts/index.ts';
import { curvesOfParts } from '../../gpu-host/index.ts';
import type { Sources } from './scenario.ts';
import type { ModelEntry } from './schema.ts';
import { storedModel } from './store.ts';

const MB = 1e6;
const DEFAULTS = { batchMax: 64, persistentMB: 100, ephemeralMBPerItem: 10 };
/** A profile holds so many points at most. */
const POINTS_MAX = 256;

/** What a model costs on a kind of device, by its own figures or the profiles; undefined where neither says. */
export function profileOf(
  entry: ModelEntry,
  kind: string,
  deviation: number,
  { profiles }: Pick<Sources, 'profiles'>,
): Profile | undefined {
  const deviating = (batch: number, meanMs: number, ephemeralBytes: number) => ({
    batch,
    meanMs,
    stdMs: deviation * meanMs,
    p99Ms: (1 + 2.33 * deviation) * meanMs,
    ephemeralBytes,
    repeats: 0,
  });
  const { alphaMs, betaMs, preMs = 0 } = entry;
  const common = { v: 1 as const, model: entry.name, device: kind, emulated: true, preMs, postMs: 0 };
  if (alphaMs !== undefined || betaMs !== undefined) {
    const { batchMax = DEFAULTS.batchMax, persistentMB = DEFAULTS.persistentMB, loadMs = 0 } = entry;
    const { ephemeralMBPerItem = DEFAULTS.ephemeralMBPerItem } = entry;
    const points = [...new Set([1, batchMax])].map(batch =>
      deviating(batch, (alphaMs ?? 0) * batch + (betaMs ?? 0), Math.ceil(batch * ephemeralMBPerItem * MB)),
    );
    return { ...common, points, persistentBytes: Math.ceil(persistentMB * MB), loadMs };
  }
  const name = entry.profile ?? entry.name;
  const found = profiles.find(({ model, device }) => model === name && device === kind);
  if (!found) return undefined;
  const { persistentBytes, loadMs } = found;
  const points = found.points
    .filter(({ batch }) => batch <= (entry.batchMax ?? Infinity))
    .slice(0, POINTS_MAX)
    .map(({ batch, meanMs, ephemeralBytes }) => deviating(batch, meanMs, ephemeralBytes));
  return { ...common, points, persistentBytes, loadMs: entry.loadMs ?? loadMs };
}

/** Of the prefix that a model declares and of what is left of it, as a host would measure them: preparing is the prefix's. */
export function profilesOfParts({ id, document, cuts = [] }: StoredModel, whole: Profile): Profile[] {
  const curves = curvesOfParts(id, document);
  const [declared] = cuts;
  if (!curves || !declared) return [];
  const profileOfPart = (model: string, curve: typeof curves.prefix, preMs: number): Profile => ({
    ...whole,
    model,
    preMs,
    loadMs: curve.loadMs,
    persistentBytes: curve.persistentBytes,
    points: whole.points.map(point => {
      const meanMs = curve.meanMs(point.batch);
      const share = point.meanMs > 0 ? meanMs / point.meanMs : 0;
      return { ...point, meanMs, stdMs: share * point.stdMs, p99Ms: share * point.p99Ms };
    }),
  });
  return [
    profileOfPart(prefixId(declared.cut), curves.prefix, whole.preMs),
    profileOfPart(suffixId(id, declared.cut), curves.suffix, 0),
  ];
}

/** With what preparing a batch adds to each run when a device waits for it, `cores` inputs at a time. */
export function preparedLate(profile: Profile, cores: number): Profile {
  const { points, preMs } = profile;
  if (preMs === 0) return profile;
  const lateMs = (batch: number): number => Math.ceil(batch / cores) * preMs;
  const [first, last] = [points[0]!, points.at(-1)!];
  // Steps of `cores` inputs: what lies between two points must not be taken for a line.
  const batches = new Set(points.map(({ batch }) => batch));
  for (let full = cores; full < last.batch; full += cores) for (const batch of [full, full + 1]) batches.add(batch);
  const at = [...batches].filter(batch => batch >= first.batch).toSorted((a, b) => a - b);
  const kept = at.length <= POINTS_MAX ? at : [...at.slice(0, POINTS_MAX - 1), at.at(-1)!];
  const late = kept.map(batch => {
    const point = pointAt(points, batch);
    return { ...point, meanMs: point.meanMs + lateMs(batch), p99Ms: point.p99Ms + lateMs(batch) };
  });
  return { ...profile, preMs: 0, points: late };
}

/** On the straight line between the points around it. */
function pointAt(points: Profile['points'], batch: number): Profile['points'][number] {
  const right = points.find(point => point.batch >= batch)!;
  const left = points.findLast(point => point.batch <= batch)!;
  const share = right === left ? 0 : (batch - left.batch) / (right.batch - left.batch);
  const between = (of: (point: Profile['points'][number]) => number): number =>
    of(left) + share * (of(right) - of(left));
  return {
    batch,
    meanMs: between(one => one.meanMs),
    stdMs: between(one => one.stdMs),
    p99Ms: between(one => one.p99Ms),
    ephemeralBytes: Math.ceil(between(one => one.ephemeralBytes)),
    repeats: 0,
  };
}

export function modelOf(entry: ModelEntry, kinds: readonly string[], deviation: number, sources: Sources) {
  const found = kinds.flatMap(kind => profileOf(entry, kind, deviation, sources) ?? []);
  const stored = storedModel(documentOf(entry, found[0]!, deviation), found[0]!.persistentBytes);
  return { stored, profiles: found.map(profile => ({ ...profile, model: stored.id })) };
}

/** For what goes by the manifest and not by profiles: the line through the first and the last point. */
function documentOf(
  entry: ModelEntry,
  { points, persistentBytes, loadMs, preMs }: Profile,
  deviation: number,
): ModelDocument {
  const { name, boxes, prefix } = entry;
  const [first, last] = [points[0]!, points.at(-1)!];
  const alphaMs = last === first ? 0 : (last.meanMs - first.meanMs) / (last.batch - first.batch);
  return {
    kind: 'Model',
    name,
    version: '1',
    file: `${name}.onnx`,
    licence: 'none',
    source: 'emulated',
    preprocess: { kind: 'picture', width: 224, height: 224, fit: 'stretch' },
    postprocess:
      boxes === undefined ? { kind: 'classes' } : { kind: 'boxes', coordinates: 'corners', ...labelsOf(boxes) },
    batchMax: last.batch,
    emulation: {
      alphaMs: Math.max(0, alphaMs),
      betaMs: Math.max(0, first.meanMs - alphaMs * first.batch),
      persistentMB: persistentBytes / MB,
      ephemeralMBPerItem: last.ephemeralBytes / last.batch / MB,
      loadMs,
      preMs,
      ...(deviation > 0 ? { jitter: deviation } : {}),
      ...(boxes === undefined ? {} : { boxes: boxCount(boxes) }),
      ...(prefix ? { prefix } : {}),
    },
  };
}

type Boxes = NonNullable<ModelEntry['boxes']>;

export const boxCount = (boxes: Boxes): number =>
  typeof boxes === 'number' ? boxes : Object.values(boxes).reduce((sum, mean) => sum + mean, 0);

/** A device picks a label by chance from a list: of this one each label is its share. */
function labelsOf(boxes: Boxes): { labels?: string[] } {
  if (typeof boxes === 'number') return {};
  const all = boxCount(boxes);
  if (all === 0) return {};
  return {
    labels: Object.entries(boxes).flatMap(([label, mean]) => Array<string>(Math.round((100 * mean) / all)).fill(label)),
  };
}
