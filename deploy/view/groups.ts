import { cutOf, isPrefix, isSuffix, modelOf, type HostBeat } from '../../contracts/index.ts';

/** Models that run behind one prefix on a host. */
export interface GroupView {
  readonly prefix: string;
  /** Ids of the models whose suffixes are there. */
  readonly members: readonly string[];
  /** P of the prefix and its suffixes. */
  readonly persistentBytes: number;
  /** P that the models would take whole, less that; below 0 where one model alone is cut. */
  readonly savedBytes: number;
}

/** Prefixes on a host that have a suffix, and what they save. */
export function groupsOf({ residents }: HostBeat): GroupView[] {
  return residents.flatMap(({ model: prefix, persistentBytes }) => {
    if (!isPrefix(prefix)) return [];
    const suffixes = residents.filter(
      ({ model, state }) => isSuffix(model) && cutOf(model) === cutOf(prefix) && state !== 'failed',
    );
    if (suffixes.length === 0) return [];
    const bytes = suffixes.reduce((sum, one) => sum + one.persistentBytes, persistentBytes);
    const wholeBytes = suffixes.reduce((sum, one) => sum + (one.wholeBytes ?? one.persistentBytes), 0);
    const members = suffixes.map(({ model }) => modelOf(model));
    return [{ prefix, members, persistentBytes: bytes, savedBytes: wholeBytes - bytes }];
  });
}
