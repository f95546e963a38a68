import { dispatchBy, dispatchPolicy, type Candidate } from 'ganglion';

/**
 * A dispatch policy of your own: the batch that fills most of what its host may run together goes first; one that is nearly full or nearly
 * late starts at once, the others wait until they can't grow any more.
 *
 *     ganglion simulate examples/scenarios/one-model.yaml --policy examples/policies/fullest-first.ts
 *
 * `dispatchBy` drops what is hopeless, finds for each group the host where a batch would end first, and the largest batch that is in time
 * there. What is left to say is when a batch may start, and which of two goes first.
 */
const fill = ({ count, seat, group }: Candidate): number => count / Math.min(seat.batchMax, group.batchTarget);

export default dispatchPolicy('fullest-first', options => {
  const enough = Number(options['enough'] ?? 0.8);
  return dispatchBy({
    name: 'fullest-first',
    need: group => group.batchSustain,
    openAtMs: candidate => (fill(candidate) >= enough ? -Infinity : candidate.frontrunMs),
    isBefore: (one, other) => fill(one) > fill(other),
  });
});
