import { compareText, merged, pack, saturatingBatch, type Node } from '../packing.ts';
import { onOne, worksOf, type Portion } from './fit.ts';
import { frameOf, type Frame, type Held, type HeldPart } from './held.ts';
import { poolOfNode, type PlannedPool } from './pack.ts';
import type { Demand } from './demand.ts';
import { rehouse } from './rehouse.ts';
import { squishy } from './squishy.ts';
import type { DeviceClass } from './supply.ts';
import type { Unit } from './unit.ts';
import type { CapacityHost, CapacityPlan } from './workload.ts';

/** An epoch is due before its time where an estimate leaves these shares of the planned rate. */
const DUE_BELOW = 0.8;
const DUE_ABOVE = 1.1;
/** Below this share of the planned rate devices are given back. */
const SHRINK_BELOW = 0.97;
/** Rounding of rates; not placed. Nexus leaves 1e-3. */
const RATE_LEFT_HZ = 1e-7;

export interface EpochOptions {
  /** Drains the emptiest device into the others while that succeeds. In Nexus's code the call is commented out. */
  readonly consolidate: boolean;
  /** Sessions that are refused, as before, and get no place. */
  readonly waiting: ReadonlyMap<string, unknown>;
}

/** A device with what it holds. */
interface Backend {
  readonly held: Held | undefined;
  readonly from: DeviceClass;
  portions: Portion[];
  pool: PlannedPool | undefined;
  touched: boolean;
}

interface Alone {
  readonly node: Node;
  readonly floor: number;
}

/**
 * Nexus's scheduler epoch by epoch (uwsampl/nexus, scheduler.cpp, `EpochSchedule`): rates that fell give devices back,
 * rates that rose grow where they are, devices that are then overloaded spill, and what is unassigned goes to the device that it
 * fills best. Others aren't touched; nothing is ever packed anew, so fragments stay. Undefined where devices are short.
 *
 * Other than there: a device spills from an occupancy of 1 on (1.05 there, where a plan may break its objectives by as
 * much); memory is checked; and copies that are asked for stay where they are, with equal shares.
 */
export function nexusEpoch(
  demand: Demand,
  previous: CapacityPlan,
  options: EpochOptions,
): { hosts: CapacityHost[]; moved: boolean } | undefined {
  const frame = frameOf(demand, previous, false);
  if (frame.held.some(held => held.hosts.length > 1)) return undefined;
  const epoch = new Epoch(demand, frame, options);
  const moved = epoch.isDue();
  if (moved && !epoch.run()) return undefined;
  const hosts = rehouse(demand, previous, epoch.slots(), frame.held);
  return hosts && { hosts, moved };
}

class Epoch {
  private backends: Backend[];
  private readonly byHeld: ReadonlyMap<Held | undefined, Backend>;
  private readonly demand: Demand;
  private readonly frame: Frame;
  private readonly options: EpochOptions;
  private readonly unassigned: Portion[] = [];
  private readonly aloneOn = new Map<DeviceClass, Map<Portion, Alone | undefined>>();

  constructor(demand: Demand, frame: Frame, options: EpochOptions) {
    this.demand = demand;
    this.frame = frame;
    this.options = options;
    this.backends = frame.held.map((held): Backend => {
      const portions = held.parts.map(({ unit, rateHz }) => ({ unit, rateHz }));
      return { held, from: held.from, portions, pool: this.asItIs(portions, held), touched: false };
    });
    this.byHeld = new Map(this.backends.map(backend => [backend.held, backend]));
  }

  /** Sessions came or went, an estimate left its range, or a device can't keep its objectives any more. */
  isDue(): boolean {
    if (this.asked().length > 0 || this.frame.held.some(held => held.lost)) return true;
    if (this.backends.some(backend => !backend.pool)) return true;
    return [...this.frame.parts].some(([unit, parts]) => {
      const planned = plannedOf(parts);
      return unit.rateHz < DUE_BELOW * planned || unit.rateHz > DUE_ABOVE * planned;
    });
  }

  /** False: there are not devices enough. */
  run(): boolean {
    for (const [unit, parts] of this.frame.parts) {
      if (unit.replicasMin > 1) continue;
      const planned = plannedOf(parts);
      if (unit.rateHz < SHRINK_BELOW * planned) this.shrink(unit, parts);
      else if (unit.rateHz > planned) this.grow(unit, parts);
    }
    for (const backend of this.backends) if (backend.held) this.refresh(backend, backend.held);
    this.backends = this.backends.filter(backend => backend.portions.length > 0);
    for (const unit of this.demand.units(this.asked())) {
      for (let copy = 0; copy < unit.replicasMin; copy++) {
        this.unassigned.push({ unit, rateHz: unit.rateHz / unit.replicasMin });
      }
    }
    this.unassigned.sort((a, b) => b.rateHz - a.rateHz || compareText(a.unit.name, b.unit.name));
    if (!this.unassigned.every(portion => this.assign(portion))) return false;
    if (this.options.consolidate) while (this.drain());
    return true;
  }

  slots(): { pool: PlannedPool; held: Held | undefined; sizedAnew: boolean }[] {
    return this.backends.flatMap(({ pool, held, touched }) => (pool ? [{ pool, held, sizedAnew: touched }] : []));
  }

  private asked(): Frame['loose'] {
    return this.frame.loose.filter(session => !this.options.waiting.has(session.name));
  }

  /** By weight: whole ones stay while they are needed, the first that is too much shrinks, the others are unloaded. */
  private shrink(unit: Unit, parts: readonly HeldPart[]): void {
    let left = unit.rateHz;
    for (const part of byWeight(parts)) {
      const rateHz = Math.min(left, part.sizedHz);
      this.set(part, rateHz > RATE_LEFT_HZ ? rateHz : 0);
      left -= rateHz;
    }
  }

  /** By weight: each takes as much as it would alone; what is left is unassigned. */
  private grow(unit: Unit, parts: readonly HeldPart[]): void {
    let more = unit.rateHz - plannedOf(parts);
    for (const part of byWeight(parts)) {
      const by = Math.min(more, Math.max(0, this.wholeHz(unit, part.held.from) - part.sizedHz));
      this.set(part, part.sizedHz + by);
      more -= by;
    }
    if (more > RATE_LEFT_HZ) this.unassigned.push({ unit, rateHz: more });
  }

  private set(part: HeldPart, rateHz: number): void {
    const backend = this.byHeld.get(part.held)!;
    const others = backend.portions.filter(portion => portion.unit !== part.unit);
    backend.portions = rateHz > 0 ? [...others, { unit: part.unit, rateHz }] : others;
    backend.touched = true;
  }

  /** With its rates of now; where they are too much, it is emptied, and filled again with the longest runs first. */
  private refresh(backend: Backend, held: Held): void {
    backend.pool = this.asItIs(backend.portions, held);
    if (backend.pool || backend.portions.length === 0) return;
    const runMs = ({ unit }: Portion): number => {
      const entry = held.hosts[0]!.sessions.find(session => session.name === unit.members[0]!.name)!;
      return unit.members.length === 1
        ? this.demand.workload.curves.get(entry.model, held.from.kind).latencyMs(entry.batch)
        : entry.latencyMs;
    };
    const order = backend.portions.toSorted((a, b) => runMs(b) - runMs(a) || compareText(a.unit.name, b.unit.name));
    backend.portions = [];
    backend.touched = true;
    for (const portion of order) if (!this.put(backend, portion)) this.unassigned.push(portion);
  }

  /** FindBestBackend, again and again: a device of its own while it fills one, then the one that becomes fullest. */
  private assign({ unit, rateHz }: Portion): boolean {
    let left = rateHz;
    const first = this.demand.choicesOf(unit)[0];
    if (!first) return false;
    const wholeHz = this.wholeHz(unit, first.from);
    for (; left >= wholeHz * (1 - 1e-9); left -= wholeHz) {
      if (!this.open(first.from, { unit, rateHz: Math.min(left, wholeHz) })) return false;
    }
    if (left <= RATE_LEFT_HZ) return true;
    const best = this.bestFor({ unit, rateHz: left }, undefined);
    return best ? this.put(best, { unit, rateHz: left }) : this.open(first.from, { unit, rateHz: left });
  }

  private open(from: DeviceClass, portion: Portion): boolean {
    const backend: Backend = { held: undefined, from, portions: [], pool: undefined, touched: true };
    if (!this.put(backend, portion)) return false;
    this.backends.push(backend);
    return true;
  }

  private bestFor(portion: Portion, not: Backend | undefined): Backend | undefined {
    let best: { backend: Backend; occupancy: number } | undefined;
    for (const backend of this.backends) {
      if (backend === not || (backend.pool && backend.pool.occupancy >= 1)) continue;
      let floor = this.alone(portion, backend.from)?.floor ?? Infinity;
      for (const own of backend.portions) {
        floor += own.unit === portion.unit ? Infinity : (this.alone(own, backend.from)?.floor ?? Infinity);
        if (floor > 1 + 1e-6) break;
      }
      if (floor > 1 + 1e-6) continue;
      const pool = this.together([...backend.portions, portion], backend.from);
      if (pool && (!best || pool.occupancy > best.occupancy + 1e-9)) best = { backend, occupancy: pool.occupancy };
    }
    return best?.backend;
  }

  private put(backend: Backend, portion: Portion): boolean {
    const own = backend.portions.find(each => each.unit === portion.unit);
    const others = backend.portions.filter(each => each !== own);
    const portions = [...others, { unit: portion.unit, rateHz: (own?.rateHz ?? 0) + portion.rateHz }];
    const pool = this.together(portions, backend.from);
    if (!pool) return false;
    backend.portions = portions;
    backend.pool = pool;
    backend.touched = true;
    return true;
  }

  /** The emptiest device's sessions to others, all or none; whether it was possible. */
  private drain(): boolean {
    const filled = this.backends.filter(backend => backend.portions.every(({ unit }) => unit.replicasMin === 1));
    const emptiest = filled.reduce<Backend | undefined>(
      (least, each) => (!least || each.pool!.occupancy < least.pool!.occupancy ? each : least),
      undefined,
    );
    if (!emptiest) return false;
    const before = this.backends.map(backend => ({ ...backend }));
    for (const portion of emptiest.portions) {
      const best = this.bestFor(portion, emptiest);
      if (best && this.put(best, portion)) continue;
      this.backends = before;
      return false;
    }
    this.backends = this.backends.filter(backend => backend !== emptiest);
    return true;
  }

  private asItIs(portions: readonly Portion[], held: Held): PlannedPool | undefined {
    const works = worksOf(portions, held.from, this.demand.workload.curves);
    return works && works.length > 0 ? onOne(works, held.hosts[0]!.dutyMs, held.from) : undefined;
  }

  private together(portions: readonly Portion[], from: DeviceClass): PlannedPool | undefined {
    let node: Node | undefined;
    for (const portion of portions) {
      const own = this.alone(portion, from)?.node;
      node = node && own ? merged(node, own, from.memoryBytes) : own;
      if (!node) return undefined;
    }
    return node && poolOfNode(node, from);
  }

  /** On a device of its own, and what it takes at least of any; undefined: one isn't enough. Looked at once. */
  private alone(portion: Portion, from: DeviceClass): Alone | undefined {
    let known = this.aloneOn.get(from);
    if (!known) this.aloneOn.set(from, (known = new Map()));
    if (known.has(portion)) return known.get(portion);
    const works = worksOf([portion], from, this.demand.workload.curves);
    const [node, more] = works ? pack(works, from.memoryBytes) : [];
    const found = works && node && !more ? { node, floor: squishy.least(works, from) } : undefined;
    known.set(portion, found);
    return found;
  }

  /** What a device of its own takes of a session, Hz. */
  private wholeHz(unit: Unit, from: DeviceClass): number {
    const [work] = worksOf([{ unit, rateHz: unit.rateHz }], from, this.demand.workload.curves) ?? [];
    if (!work) return 0;
    const batch = saturatingBatch(work, from.memoryBytes) ?? work.curve.batchMin;
    return (batch * 1000) / work.curve.latencyMs(batch);
  }
}

const plannedOf = (parts: readonly HeldPart[]): number => parts.reduce((sum, part) => sum + part.sizedHz, 0);

const byWeight = (parts: readonly HeldPart[]): HeldPart[] =>
  parts.toSorted((a, b) => b.sizedHz - a.sizedHz || compareText(a.held.name, b.held.name));
