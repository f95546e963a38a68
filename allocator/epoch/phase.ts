import type { AllocatorBeat } from '../../contracts/index.ts';
import type { SnapshotFrom } from 'xstate';
import type { epochChart } from './chart.ts';

export type EpochSnapshot = SnapshotFrom<typeof epochChart>;
export type Phase = AllocatorBeat['phase'];

const PHASES = { preparing: 'preparing', committing: 'committing', draining: 'draining' } as const;

/** The phase as beats tell it. */
export function phaseOf(snapshot: EpochSnapshot): Phase {
  if (snapshot.matches('standby')) return 'standby';
  for (const [state, phase] of Object.entries(PHASES)) {
    if (snapshot.matches({ leading: state as keyof typeof PHASES })) return phase;
  }
  return 'observing';
}
