import type { Cluster } from './cluster.ts';
import type { Process } from './process.ts';
import type { Fault } from './scenario.ts';

/** What undoes a fault. Undoing twice is harmless. */
type Undo = () => void;

/** Sets the scenario's faults up on the cluster's clock; the answer undoes whatever is in force and stops the rest. */
export function unleash(cluster: Cluster): Undo {
  const inForce = new Set<Undo>();
  let over = false;
  for (const fault of cluster.scenario.faults) {
    cluster.clock.after(Math.max(0, fault.atMs - cluster.clock.nowMs()), () => {
      if (over) return;
      const undo = begin(cluster, fault);
      inForce.add(undo);
      cluster.clock.after(fault.forMs, () => {
        if (inForce.delete(undo)) undo();
      });
    });
  }
  return () => {
    over = true;
    for (const undo of inForce) undo();
    inForce.clear();
    for (const process of cluster.processes.values()) process.start();
  };
}

function begin(cluster: Cluster, fault: Fault): Undo {
  const { network, links, stores, clock, documents } = cluster;
  const process = 'who' in fault ? cluster.processes.get(fault.who) : undefined;
  switch (fault.is) {
    case 'crash':
      process?.kill();
      return () => process?.start();
    case 'freeze':
      process?.gate.freeze();
      return () => process?.gate.thaw();
    case 'disconnect': {
      if (!process?.alive) return () => {};
      const { incarnation } = process;
      network.disconnect(process.id);
      return () => {
        if (process.alive && process.incarnation === incarnation) network.reconnect(process.id);
      };
    }
    case 'slow':
      if (process) process.slowness = fault.factor;
      return () => {
        if (process) process.slowness = 1;
      };
    case 'cut':
      links.cuts.add(fault);
      return () => void links.cuts.delete(fault);
    case 'weather':
      links.weather.add(fault);
      return () => void links.weather.delete(fault);
    case 'server-down':
      network.stop();
      return () => network.start();
    case 'storage-down':
      network.storageAvailable = false;
      return () => void (network.storageAvailable = true);
    case 'store':
      stores.set(fault.who, fault.mood);
      return () => stores.set(fault.who, 'fine');
    case 'behead':
      return behead(cluster, fault.phase);
    case 'revoke': {
      cluster.drain(fault.who);
      let gone = false;
      clock.after(fault.noticeMs, () => gone || process?.kill());
      return () => {
        gone = true;
        process?.start();
      };
    }
    case 'surge':
      cluster.surge *= fault.factor;
      return () => void (cluster.surge /= fault.factor);
    case 'query':
      documents.addQuery();
      return () => documents.removeQuery();
    case 'version':
      documents.newVersion();
      return () => {};
    default:
      documents.deleteTags();
      return () => documents.restoreTags();
  }
}

const LOOK_MS = 2;
const RESTART_MS = 2000;

/** Kills the leader when it is in `phase`; its machine comes back two seconds later. */
function behead(cluster: Cluster, phase: string): Undo {
  let over = false;
  const look = (): void => {
    if (over) return;
    const leader = cluster.of('allocator').find(process => phaseOf(process) === phase);
    if (!leader) {
      cluster.clock.after(LOOK_MS, look);
      return;
    }
    leader.kill();
    cluster.clock.after(RESTART_MS, () => leader.start());
  };
  look();
  return () => {
    over = true;
  };
}

const phaseOf = ({ running }: Process): string | undefined =>
  (running?.state as { director: { phase: string } } | undefined)?.director.phase;
