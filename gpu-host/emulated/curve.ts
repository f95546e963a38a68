import { createHash } from 'node:crypto';
import { ModelError, normal, type Cut, type ModelDocument, type Profile, type Random } from '../../contracts/index.ts';

/** What an emulated device needs to know about a model. */
export interface Curve {
  /** ℓ(b), ms, before jitter. */
  meanMs(batch: number): number;
  /** Relative standard deviation at that batch. */
  jitter(batch: number): number;
  readonly loadMs: number;
  /** CPU time to prepare one input. */
  readonly preMs: number;
  readonly persistentBytes: number;
  ephemeralBytes(batch: number): number;
}

const MB = 1e6;

/** From `emulation` of the manifest: ℓ(b) = α·b + β. Memory that it leaves open: see the fields. */
export function curveOfDocument(id: string, document: ModelDocument): Curve {
  const { emulation } = document;
  if (!emulation)
    throw new ModelError(
      id,
      'an emulated device needs the field `emulation` (alphaMs, betaMs, …) in the manifest, or a profile to replay',
    );
  const { alphaMs, betaMs, persistentMB, ephemeralMBPerItem, loadMs = 0, preMs = 0, jitter = 0 } = emulation;
  if (!(alphaMs + betaMs > 0)) throw new ModelError(id, '`emulation` takes no time: alphaMs + betaMs must be above 0');
  return {
    meanMs: batch => alphaMs * batch + betaMs,
    jitter: () => jitter,
    loadMs,
    preMs,
    persistentBytes: Math.round(persistentMB * MB),
    ephemeralBytes: batch => Math.round(ephemeralMBPerItem * MB * batch),
  };
}

/** The cut behind the prefix that a manifest declares for emulated devices: models that declare the same one share it. */
export function declaredCut({ emulation, batchMax }: ModelDocument): Cut | undefined {
  if (!emulation?.prefix) return undefined;
  const { name, alphaMs, betaMs, persistentMB } = emulation.prefix;
  const told = ['emulated prefix', name, alphaMs, betaMs, persistentMB].join(' ');
  const runMs = (part: { alphaMs: number; betaMs: number }): number => part.alphaMs * batchMax + part.betaMs;
  return {
    cut: createHash('sha256').update(told).digest('hex').slice(0, 12),
    emulated: true,
    prefixBytes: Math.round(persistentMB * MB),
    suffixBytes: Math.round((emulation.persistentMB - persistentMB) * MB),
    computeShare: Math.min(1, runMs(emulation.prefix) / runMs(emulation)),
  };
}

/** Of the parts on either side of the declared cut, which together are the model. Either may need all of its working memory. */
export function curvesOfParts(id: string, document: ModelDocument): { prefix: Curve; suffix: Curve } | undefined {
  const part = document.emulation?.prefix;
  if (!part) return undefined;
  const whole = curveOfDocument(id, document);
  const prefixBytes = Math.round(part.persistentMB * MB);
  const prefix = {
    ...whole,
    meanMs: (batch: number) => part.alphaMs * batch + part.betaMs,
    persistentBytes: prefixBytes,
    loadMs: whole.persistentBytes > 0 ? (whole.loadMs * prefixBytes) / whole.persistentBytes : whole.loadMs,
  };
  const suffix = {
    ...whole,
    meanMs: (batch: number) => Math.max(0, whole.meanMs(batch) - prefix.meanMs(batch)),
    persistentBytes: Math.max(0, whole.persistentBytes - prefixBytes),
    loadMs: Math.max(0, whole.loadMs - prefix.loadMs),
  };
  return { prefix, suffix };
}

/** Replays a measured profile: linear between its points, beyond the last one with the slope of the last two. */
export function curveOfProfile(profile: Profile): Curve {
  const { points } = profile;
  const between = (batch: number, of: (point: Profile['points'][number]) => number): number => {
    const last = points.length - 1;
    const found = points.findIndex(point => point.batch >= batch);
    const right = points[Math.max(1, found < 0 ? last : found)];
    const left = points[Math.max(0, (found < 0 ? last : found) - 1)]!;
    if (!right || right.batch === left.batch) return of(left);
    return Math.max(0, of(left) + ((of(right) - of(left)) * (batch - left.batch)) / (right.batch - left.batch));
  };
  return {
    meanMs: known(batch => between(batch, point => point.meanMs)),
    jitter: known(batch => between(batch, point => (point.meanMs > 0 ? point.stdMs / point.meanMs : 0))),
    loadMs: profile.loadMs,
    preMs: profile.preMs,
    persistentBytes: profile.persistentBytes,
    ephemeralBytes: batch => Math.round(between(batch, point => point.ephemeralBytes)),
  };
}

/** The same function of a batch, each value reckoned once. */
function known(of: (batch: number) => number): (batch: number) => number {
  const values: number[] = [];
  return batch => (values[batch] ??= of(batch));
}

/** Time of one run, ms: normal around the mean, cut at a tenth of it so that time never runs backwards. */
export function runTimeMs(curve: Curve, batch: number, random: Random): number {
  const mean = curve.meanMs(batch);
  const jitter = curve.jitter(batch);
  return jitter === 0 ? mean : Math.max(mean / 10, mean * (1 + jitter * normal(random)));
}
