import type { Curves } from '../curve.ts';
import { compareText } from '../packing.ts';
import type { CapacityHost, CapacityPlan, Workload } from './workload.ts';

/** One step on the way from a plan to the next. Steps are done in order. */
export interface Move {
  readonly do: 'load' | 'unload';
  readonly host: string;
  readonly model: string;
  /** Of weights. */
  readonly bytes: number;
  /** A model parked where neither plan has it, so that it is served while hosts exchange memory. */
  readonly spare: boolean;
}

export interface Migration {
  readonly moves: readonly Move[];
  /** Of weights loaded, all steps together. */
  readonly loadedBytes: number;
  /** Sessions whose set of hosts changes. */
  readonly sessionsMoved: number;
  /** Moves that no order makes safe: the memory they need is held by models that nobody else could serve meanwhile. */
  readonly blocked: readonly { readonly host: string; readonly model: string; readonly detail: string }[];
}

interface State {
  readonly id: string;
  readonly kind: string;
  readonly memoryBytes: number;
  readonly resident: Set<string>;
  readonly old: ReadonlyMap<string, number>;
  readonly next: ReadonlyMap<string, number>;
}

/**
 * From one plan to the next, make before break: a model is unloaded only once every host that is to hold it, or what
 * serves its sessions from then on, does; and loaded only where it fits beside what is there (ΣP + max E ≤ C at each
 * step). Hosts that wait for each other's memory are a cycle: the smallest model that blocks it is parked on a host
 * with room (with the prefix or suffix that it runs with), or the rest is reported as blocked. Models whose sessions
 * the next plan no longer serves go first.
 */
export function movesOf(previous: CapacityPlan | undefined, next: CapacityPlan, workload: Workload): Migration {
  const migration = new Ordering(previous, next, workload.curves);
  migration.run();
  const moves = migration.moves;
  return {
    moves,
    loadedBytes: moves.reduce((sum, move) => sum + (move.do === 'load' ? move.bytes : 0), 0),
    sessionsMoved: moved(previous, next),
    blocked: migration.blocked(),
  };
}

class Ordering {
  readonly moves: Move[] = [];
  private readonly hosts: State[];
  private readonly curves: Curves;
  /** Loads still to come, by model: until there are none, nobody lets go of it. */
  private readonly pending = new Map<string, number>();
  private readonly parked: { host: State; model: string }[] = [];
  /** Model → what serves its sessions in the next plan. */
  private readonly heirs: ReadonlyMap<string, ReadonlySet<string>>;
  /** Model → what runs with it in the plan of before. */
  private readonly partners: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(previous: CapacityPlan | undefined, next: CapacityPlan, curves: Curves) {
    this.curves = curves;
    const before = new Map(previous?.hosts.map(host => [host.id, host]));
    const after = new Map(next.hosts.map(host => [host.id, host]));
    const ids = [...new Set([...before.keys(), ...after.keys()])].sort(compareText);
    this.hosts = ids.map((id): State => {
      const host = after.get(id) ?? before.get(id)!;
      const old = this.ephemeralOf(before.get(id));
      return { ...host, resident: new Set(old.keys()), old, next: this.ephemeralOf(after.get(id)) };
    });
    for (const host of this.hosts) for (const model of this.missing(host)) this.count(model, 1);
    const served = modelsBySession(next);
    const serving = modelsBySession(previous);
    this.heirs = joined(serving, name => served.get(name) ?? []);
    this.partners = joined(serving, name => serving.get(name)!);
  }

  run(): void {
    while (this.pass() || this.park());
    // Where loads are blocked, what is parked for them stays.
    for (const { host, model } of this.parked) if (this.released(model)) this.unload(host, model, true);
  }

  blocked(): Migration['blocked'] {
    return this.hosts.flatMap(host =>
      this.missing(host).map(model => ({
        host: host.id,
        model,
        detail: `${host.id} has no room for ${model} before others take over what it holds; add a device for the time`,
      })),
    );
  }

  /** Everything that is safe now; whether anything was. */
  private pass(): boolean {
    const before = this.moves.length;
    for (const host of this.hosts) {
      for (const model of host.resident) {
        if (this.leaves(host, model) && this.released(model)) this.unload(host, model, false);
      }
    }
    for (const host of this.hosts) {
      for (const model of this.missing(host)) if (this.fits(host, [model])) this.load(host, model, false);
    }
    return this.moves.length > before;
  }

  /** Breaks a cycle: something that a full host would let go of goes where there is room, the smallest first. */
  private park(): boolean {
    const stuck = this.hosts.filter(host => this.missing(host).length > 0);
    const leaving = stuck.flatMap(host =>
      [...host.resident].filter(model => this.leaves(host, model)).map(model => ({ host, model })),
    );
    leaving.sort((a, b) => this.bytes(a.host, a.model) - this.bytes(b.host, b.model) || compareText(a.model, b.model));
    for (const { host, model } of leaving) {
      if (!this.parked.some(p => p.model === model)) {
        const together = [...(this.partners.get(model) ?? [model])].filter(each => host.resident.has(each));
        const room = this.hosts.find(at => at !== host && !at.resident.has(model) && this.fits(at, together));
        if (!room) continue;
        for (const each of together.filter(one => !room.resident.has(one))) {
          this.load(room, each, !room.next.has(each));
          if (!room.next.has(each)) this.parked.push({ host: room, model: each });
        }
      }
      this.unload(host, model, false);
      return true;
    }
    return false;
  }

  /** The next plan doesn't have it there, and it isn't parked. */
  private leaves(host: State, model: string): boolean {
    return !host.next.has(model) && !this.parked.some(p => p.host === host && p.model === model);
  }

  /** All that is to hold it, or to serve in its place, does. */
  private released(model: string): boolean {
    const heirs = this.heirs.get(model) ?? [];
    return !this.pending.has(model) && ![...heirs].some(heir => this.pending.has(heir));
  }

  private missing(host: State): string[] {
    return [...host.next.keys()].filter(model => !host.resident.has(model));
  }

  private load(host: State, model: string, spare: boolean): void {
    host.resident.add(model);
    if (host.next.has(model)) this.count(model, -1);
    this.moves.push({ do: 'load', host: host.id, model, bytes: this.bytes(host, model), spare });
  }

  private unload(host: State, model: string, spare: boolean): void {
    host.resident.delete(model);
    this.moves.push({ do: 'unload', host: host.id, model, bytes: this.bytes(host, model), spare });
  }

  private count(model: string, by: number): void {
    const now = (this.pending.get(model) ?? 0) + by;
    if (now > 0) this.pending.set(model, now);
    else this.pending.delete(model);
  }

  private bytes(host: State, model: string): number {
    return this.curves.find(model, host.kind)?.persistentBytes ?? 0;
  }

  /** With old batches for what was there: a host takes up the new ones when its moves are done. */
  private fits(host: State, models: readonly string[]): boolean {
    if (!models.every(model => this.curves.find(model, host.kind))) return false;
    let persistent = 0;
    let ephemeral = 0;
    for (const held of new Set([...host.resident, ...models])) {
      persistent += this.bytes(host, held);
      ephemeral = Math.max(ephemeral, this.ephemeral(host, held));
    }
    return persistent + ephemeral <= host.memoryBytes;
  }

  /** What is parked runs its smallest batch. */
  private ephemeral(host: State, model: string): number {
    const curve = this.curves.find(model, host.kind);
    return host.old.get(model) ?? host.next.get(model) ?? curve?.ephemeralBytes(curve.batchMin) ?? 0;
  }

  /** Model → E of its largest batch on the host. */
  private ephemeralOf(host: CapacityHost | undefined): Map<string, number> {
    const models = new Map<string, number>();
    const add = (model: string, batch: number): void => {
      const bytes = this.curves.find(model, host!.kind)?.ephemeralBytes(batch) ?? 0;
      models.set(model, Math.max(models.get(model) ?? 0, bytes));
    };
    for (const session of host?.sessions ?? []) {
      add(session.model, session.batch);
      if (session.prefix !== undefined) add(session.prefix, session.prefixBatch ?? session.batch);
    }
    return models;
  }
}

/** What each session runs on: its model, or its suffix and prefix. */
function modelsBySession(plan: CapacityPlan | undefined): Map<string, string[]> {
  const models = new Map<string, string[]>();
  for (const { sessions } of plan?.hosts ?? []) {
    for (const { name, model, prefix } of sessions) {
      if (!models.has(name)) models.set(name, prefix === undefined ? [model] : [model, prefix]);
    }
  }
  return models;
}

/** Model → all that `of` gives for the sessions that run on it. */
function joined(
  serving: ReadonlyMap<string, readonly string[]>,
  of: (session: string) => readonly string[],
): Map<string, Set<string>> {
  const all = new Map<string, Set<string>>();
  for (const [name, models] of serving) {
    for (const model of models) {
      const own = all.get(model) ?? new Set();
      all.set(model, own);
      for (const other of of(name)) own.add(other);
    }
  }
  return all;
}

function moved(previous: CapacityPlan | undefined, next: CapacityPlan): number {
  const before = placesOf(previous);
  const after = placesOf(next);
  let count = 0;
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    if (before.get(name)?.join(' ') !== after.get(name)?.join(' ')) count++;
  }
  return count;
}

function placesOf(plan: CapacityPlan | undefined): Map<string, string[]> {
  const places = new Map<string, string[]>();
  for (const host of plan?.hosts ?? []) {
    for (const { name } of host.sessions) {
      const own = places.get(name);
      if (own) own.push(host.id);
      else places.set(name, [host.id]);
    }
  }
  for (const hosts of places.values()) hosts.sort(compareText);
  return places;
}
