import type { Profile, StoredModel } from '../../contracts/index.ts';

const MB = 1e6;

/** What one model takes of the device. */
export interface Claim {
  /** P: stays while it is resident, bytes. */
  readonly persistentBytes: number;
  /** E: working memory at its largest planned batch, bytes. */
  readonly ephemeralBytes: number;
  readonly lane: number;
}

export interface Account {
  /** ΣP */
  readonly persistentBytes: number;
  /** Σ over lanes of max E: a lane runs one batch at a time, so its models share the working memory. */
  readonly ephemeralBytes: number;
}

export function account(claims: Iterable<Claim>): Account {
  let persistentBytes = 0;
  const largestOfLane = new Map<number, number>();
  for (const claim of claims) {
    persistentBytes += claim.persistentBytes;
    largestOfLane.set(claim.lane, Math.max(largestOfLane.get(claim.lane) ?? 0, claim.ephemeralBytes));
  }
  let ephemeralBytes = 0;
  for (const bytes of largestOfLane.values()) ephemeralBytes += bytes;
  return { persistentBytes, ephemeralBytes };
}

const inMB = (bytes: number): string => `${(bytes / MB).toFixed(1)} MB`;

/** Undefined when ΣP + Σ_lanes max E ≤ C, else a sentence with the figures. */
export function shortage(claims: Iterable<Claim>, capacityBytes: number): string | undefined {
  const { persistentBytes, ephemeralBytes } = account(claims);
  if (persistentBytes + ephemeralBytes <= capacityBytes) return undefined;
  return (
    `the models would take ${inMB(persistentBytes)} for weights and ${inMB(ephemeralBytes)} of working memory, ` +
    `the device has ${inMB(capacityBytes)}`
  );
}

/**
 * What a model will take, before it was loaded: from its profile on this kind of device, else from its document, else from
 * the size of its file (P alone). Corrected by the device once it is loaded.
 */
export function estimate(
  stored: StoredModel,
  profile: Profile | undefined,
  options: { readonly batchMax: number; readonly emulated: boolean },
): Omit<Claim, 'lane'> {
  const { ephemeralMB, emulation } = stored.document;
  if (profile) {
    const ephemeralBytes = ephemeralOf(profile, options.batchMax);
    return { persistentBytes: profile.persistentBytes, ephemeralBytes };
  }
  if (options.emulated && emulation) {
    return {
      persistentBytes: Math.round(emulation.persistentMB * MB),
      ephemeralBytes: Math.round(emulation.ephemeralMBPerItem * options.batchMax * MB),
    };
  }
  const perRunMB = ephemeralMB ? ephemeralMB.fixed + ephemeralMB.perItem * options.batchMax : 0;
  return { persistentBytes: stored.bytes, ephemeralBytes: Math.round(perRunMB * MB) };
}

/** E at `batch`: of the smallest measured batch that is not below it; beyond the last one in proportion to the batch. */
function ephemeralOf(profile: Profile, batch: number): number {
  const point = profile.points.find(p => p.batch >= batch);
  if (point) return point.ephemeralBytes;
  const last = profile.points.at(-1);
  return last ? Math.ceil((last.ephemeralBytes * batch) / last.batch) : 0;
}
