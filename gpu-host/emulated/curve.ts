import { ModelError, normal, type ModelDocument, type Profile, type Random } from '../../contracts/index.ts';

/** What an emulated device needs to know about a model. */
export interface Curve {
  /** ℓ(b), ms, before jitter. */
  meanMs(batch: number): number;
  /** Relative standard deviation at that batch. */
  jitter(batch: number): number;
  readonly loadMs: number;
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
  const { alphaMs, betaMs, persistentMB, ephemeralMBPerItem, loadMs = 0, jitter = 0 } = emulation;
  if (!(alphaMs + betaMs > 0)) throw new ModelError(id, '`emulation` takes no time: alphaMs + betaMs must be above 0');
  return {
    meanMs: batch => alphaMs * batch + betaMs,
    jitter: () => jitter,
    loadMs,
    persistentBytes: Math.round(persistentMB * MB),
    ephemeralBytes: batch => Math.round(ephemeralMBPerItem * MB * batch),
  };
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
    meanMs: batch => between(batch, point => point.meanMs),
    jitter: batch => between(batch, point => (point.meanMs > 0 ? point.stdMs / point.meanMs : 0)),
    loadMs: profile.loadMs,
    persistentBytes: profile.persistentBytes,
    ephemeralBytes: batch => Math.round(between(batch, point => point.ephemeralBytes)),
  };
}

/** Time of one run, ms: normal around the mean, cut at a tenth of it so that time never runs backwards. */
export function runTimeMs(curve: Curve, batch: number, random: Random): number {
  const mean = curve.meanMs(batch);
  const jitter = curve.jitter(batch);
  return jitter === 0 ? mean : Math.max(mean / 10, mean * (1 + jitter * normal(random)));
}
