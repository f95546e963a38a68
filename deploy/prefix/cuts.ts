import { ConfigError } from '../../contracts/index.ts';
import type { PrefixGroup, SharedCut } from '../../gpu-host/graph/index.ts';

const HASH_MIN = 4;

/** The hash of the cut that begins so, or that has that number among those of the first group. */
export function chooseCut(groups: readonly PrefixGroup[], wanted: string): string {
  const refuse = (detail: string): never => {
    throw new ConfigError(detail, {
      field: '--cut',
      remedy: 'take a number or hash of the table that is printed without it',
    });
  };
  const [first] = groups;
  if (!first) return refuse('the models share nothing that could be cut');
  const numbered = proposals({ group: first, begins: 0 });
  if (/^\d{1,3}$/.test(wanted))
    return numbered[Number(wanted) - 1]?.hash ?? refuse(`there are cuts 1 to ${numbered.length}, not ${wanted}`);
  if (!/^[0-9a-f]+$/.test(wanted) || wanted.length < HASH_MIN)
    return refuse(`"${wanted}" is neither a number nor the beginning of a hash, ${HASH_MIN} hex digits at least`);
  const all = (group: PrefixGroup): readonly string[] => [
    ...group.cuts.map(({ hash }) => hash),
    ...group.groups.flatMap(all),
  ];
  const matching = new Set(groups.flatMap(all).filter(hash => hash.startsWith(wanted)));
  const [one] = matching;
  if (!one) return refuse(`no cut that is shared begins with ${wanted}`);
  return matching.size > 1 ? refuse(`${matching.size} cuts begin with ${wanted}`) : one;
}

const PROPOSALS_MAX = 12;

/** A group, and how many multiply-adds lie before the end of the trunk of the group around it; 0 for an outermost one. */
export interface Begun {
  readonly group: PrefixGroup;
  readonly begins: number;
}

/**
 * The cuts of a group that are worth choosing between, deepest first: none inside a fusion unless all are, and of neighbours less than 1 %
 * of the compute apart the one with the fewest bytes across; of an inner group those that the group around it doesn't have.
 */
export function proposals({ group: { cuts, best }, begins }: Begun): SharedCut[] {
  const clean = cuts.filter(cut => cut.insideFusion === best.insideFusion && cut.prefix.cost > begins);
  const chosen: SharedCut[] = [best];
  for (const cut of clean) {
    const near = chosen.findIndex(one => Math.abs(shareOf(one) - shareOf(cut)) < 0.01);
    if (near < 0) chosen.push(cut);
    else if (chosen[near] !== best && bytesAcross(cut) < bytesAcross(chosen[near]!)) chosen[near] = cut;
  }
  const step = Math.max(1, (chosen.length - 1) / (PROPOSALS_MAX - 1));
  const picked = Array.from(
    { length: Math.min(chosen.length, PROPOSALS_MAX) },
    (_, i) => chosen[Math.round(i * step)]!,
  );
  return picked.sort((a, b) => b.prefix.cost - a.prefix.cost);
}

/** Of the compute of the member that has most behind the cut. */
export const shareOf = ({ shares }: SharedCut): number => Math.min(...Object.values(shares));

/** For one input; infinite where it isn't known. */
export const bytesAcross = ({ tensors }: Pick<SharedCut, 'tensors'>): number =>
  tensors.reduce((sum, { bytesPerInput }) => sum + (bytesPerInput ?? Infinity), 0);
