import { formatBytes, formatPercent } from '../terminal/index.ts';
import type { FoundGroup } from './apply.ts';

const SHOWN_MAX = 6;

/** `read-clock, read-names and read-score share 96 % of their work (8 MB of weights), cut at 20af752ef123` */
export function groupSentence({ models, cut, computeShare, weightBytes, emulated }: FoundGroup): string {
  const shown =
    models.length > SHOWN_MAX ? [...models.slice(0, SHOWN_MAX), `${models.length - SHOWN_MAX} more`] : models;
  const names = `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
  const where = emulated ? ' on emulated devices' : `, cut at ${cut}`;
  return `${names} share ${shareOf(computeShare)} of their work (${formatBytes(weightBytes)} of weights)${where}`;
}

/** Never all of it: what is left behind the trunk makes them different models. */
const shareOf = (share: number): string => (share > 0.99 ? 'over 99 %' : formatPercent(share));
