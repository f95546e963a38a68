import { seededRandom } from '../../../contracts/index.ts';
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
    case 'power-loss':
      return losePower(cluster, fault.atMs);
    case 'schism':
      return schism(cluster);
    case 'ghost':
      return ghost(cluster, fault.forMs);
    case 'echo':
      links.echoes.add(fault);
      return () => void links.echoes.delete(fault);
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

const OUTAGE_MS = 300;

/**
 * When it is over, the server starts with what its disk held when it began, of journals and objects with what some of them held; users
 * apply again what they had applied.
 */
function losePower({ network, documents, clock, scenario, lost }: Cluster, atMs: number): Undo {
  const lose = network.storageImage();
  const sinceMs = clock.nowMs();
  const random = seededRandom(scenario.seed + Math.round(atMs));
  return () => {
    network.stop();
    lose(() => random.next() < 0.5);
    lost(sinceMs);
    clock.after(OUTAGE_MS, () => network.start());
    documents.applyAgain();
  };
}

function schism(cluster: Cluster): Undo {
  const { links, stores } = cluster;
  const leader = leaderOf(cluster);
  if (!leader) return () => {};
  const others = cluster.of('allocator').filter(other => other !== leader);
  const cuts = others.flatMap(({ id }) => [
    { from: leader.id, to: id },
    { from: id, to: leader.id },
  ]);
  for (const cut of cuts) links.cuts.add(cut);
  stores.set(leader.id, 'away');
  return () => {
    for (const cut of cuts) links.cuts.delete(cut);
    stores.set(leader.id, 'fine');
  };
}

function ghost(cluster: Cluster, forMs: number): Undo {
  const { links, clock, scenario, documents } = cluster;
  const leader = leaderOf(cluster);
  if (!leader) return () => {};
  const { id, incarnation } = leader;
  documents.newVersion(); // something to order
  const stall = {
    from: id,
    untilMs: Math.min(clock.nowMs() + forMs, scenario.healAtMs),
    holds: (to: string, subject: string) => {
      if (!to.startsWith('gpu-')) return false;
      if (subject.startsWith('ganglion.orders.'))
        clock.after(0, () => leader.incarnation === incarnation && leader.kill());
      return true;
    },
  };
  links.stalls.add(stall);
  return () => {
    links.stalls.delete(stall);
    leader.start();
  };
}

const leaderOf = (cluster: Cluster): Process | undefined =>
  cluster.of('allocator').find(process => (phaseOf(process) ?? 'standby') !== 'standby');

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
