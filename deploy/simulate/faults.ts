import type { Clock } from '../../contracts/index.ts';
import type { FaultEntry } from './schema.ts';

/** Who can do to hosts what a scenario asks for. */
export interface Hands {
  kill(host: string): void;
  restart(host: string): void;
  freeze(host: string): void;
  thaw(host: string): void;
  slow(host: string, factor: number): void;
  drain(host: string): void;
  add(kind: string | undefined): string;
}

/** Sets the alarms for all faults; time 0 is now. `note` hears what is done. */
export function bringAbout(
  faults: readonly FaultEntry[],
  hands: Hands,
  clock: Clock,
  note: (what: string) => void,
): void {
  const at = (timeS: number, what: () => string): void => void clock.after(1000 * timeS, () => note(what()));
  for (const fault of faults) {
    switch (fault.kind) {
      case 'kill': {
        const { host, atS, forS } = fault;
        at(atS, () => (hands.kill(host), `${host} is killed`));
        if (forS !== undefined) at(atS + forS, () => (hands.restart(host), `${host} is started again`));
        break;
      }
      case 'freeze': {
        const { host, atS, forS } = fault;
        at(atS, () => (hands.freeze(host), `${host} freezes`));
        at(atS + forS, () => (hands.thaw(host), `${host} goes on`));
        break;
      }
      case 'slow': {
        const { host, atS, factor, forS } = fault;
        at(atS, () => (hands.slow(host, factor), `${host} takes ${factor} × as long`));
        if (forS !== undefined) at(atS + forS, () => (hands.slow(host, 1), `${host} is as fast as it should be again`));
        break;
      }
      case 'drain':
        at(fault.atS, () => (hands.drain(fault.host), `${fault.host} is drained`));
        break;
      case 'add':
        at(
          fault.atS,
          () => `${Array.from({ length: fault.count ?? 1 }, () => hands.add(fault.device)).join(', ')} arrives`,
        );
        break;
      // no default
    }
  }
}
