import { cutOf, isPrefix, type Profile, type StoredModel } from '../../contracts/index.ts';

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
 * What a model, or a part of one, will take, before it was loaded: from its profile on this kind of device, else from the
 * document, else from the size of the file (P alone). Corrected by the device once it is loaded.
 */
export function estimate(
  part: string,
  stored: StoredModel,
  profile: Profile | undefined,
  options: { readonly batchMax: number; readonly emulated: boolean; readonly tensors?: readonly string[] | undefined },
): Omit<Claim, 'lane'> {
  const share = shareOf(part, stored, options.tensors);
  const { ephemeralMB, emulation } = stored.document;
  if (profile) {
    const ephemeralBytes = ephemeralOf(profile, options.batchMax);
    return { persistentBytes: profile.persistentBytes, ephemeralBytes };
  }
  if (options.emulated && emulation) {
    return {
      persistentBytes: Math.round(emulation.persistentMB * share * MB),
      ephemeralBytes: Math.round(emulation.ephemeralMBPerItem * options.batchMax * MB),
    };
  }
  const perRunMB = ephemeralMB ? ephemeralMB.fixed + ephemeralMB.perItem * options.batchMax : 0;
  return {
    persistentBytes: Math.round(stored.bytes * share),
    ephemeralBytes: Math.round(perRunMB * MB),
  };
}

/** How much of a model a part is, by its parameters; all of it where that isn't known. `given`: what the prefix gives. */
function shareOf(part: string, { cuts = [] }: StoredModel, given: readonly string[] = []): number {
  const cut =
    cuts.find(one => one.cut === cutOf(part)) ??
    cuts.findLast(({ tensors }) => tensors?.every(({ tensor }) => given.includes(tensor)));
  const bytes = cut ? cut.prefixBytes + cut.suffixBytes : 0;
  if (!cut || bytes === 0) return 1;
  return (isPrefix(part) ? cut.prefixBytes : cut.suffixBytes) / bytes;
}

/** E at `batch`: of the smallest measured batch that is not below it; beyond the last one in proportion to the batch. */
function ephemeralOf(profile: Profile, batch: number): number {
  const point = profile.points.find(p => p.batch >= batch);
  if (point) return point.ephemeralBytes;
  const last = profile.points.at(-1);
  return last ? Math.ceil((last.ephemeralBytes * batch) / last.batch) : 0;
}
