import { compareText } from '../packing.ts';
import { inPool, onOne, roomyOnOne, worksOf, type Portion } from './fit.ts';
import { frameOf, growthOf, toTheRoomiest, type Frame, type Held, type HeldPart } from './held.ts';
import { hostsOf, type Packer, type PlannedPool } from './pack.ts';
import type { Demand } from './demand.ts';
import { rehouse, type Slot } from './rehouse.ts';
import { WOBBLE } from './roomy.ts';
import { smallest } from './shared.ts';
import { byUrgency, NO_HEADROOM, type Headroom } from './stagger.ts';
import type { CapacityHost, CapacityPlan } from './workload.ts';

/** Within these shares of the rate that it was sized for a pool stays while it can serve: Nexus's early trigger. */
const GROWTH_LOW = 0.8;
const GROWTH_HIGH = 1.1;
/** So many places are tried for what needs one, the likeliest first, and so many devices are tried to be freed. */
const PLACES_TRIED = 12;
const FREED_TRIED = 32;
/** Of a pool that is too small so many sessions are tried elsewhere. */
const PARTED_TRIED = 4;

export interface RepairOptions {
  readonly headroom: Headroom;
  /** For what finds no place. */
  readonly packer: Packer;
  /** See {@link frameOf}. */
  readonly known: boolean;
  /** Sessions that are refused, as before, and get no place. */
  readonly waiting: ReadonlyMap<string, unknown>;
  /** Devices with little on them are freed while the plan costs more than this. */
  readonly costMax: number;
}

export interface Repaired {
  readonly hosts: CapacityHost[];
  /** No rate left the range in which nothing is to move, and nothing had to. */
  readonly still: boolean;
  /** Some hosts were sized anew. */
  readonly moved: boolean;
}

/**
 * The previous plan, mended where it has to be: pools whose sessions changed are sized anew, each by itself; what came,
 * or is too much for its device, goes where it fits without another device, else on devices of its own; the rest stays
 * as it is. Undefined where it takes a plan from scratch: devices are short, or copies have to be spread anew.
 * O(sessions) and what sizing the changed pools takes.
 */
export function repair(demand: Demand, previous: CapacityPlan, options: RepairOptions): Repaired | undefined {
  const frame = frameOf(demand, previous, options.known);
  const mending = new Mending(demand, frame, options);
  mending.refit();
  if (!mending.settle()) return undefined;
  mending.free();
  const hosts = rehouse(demand, previous, mending.slots, frame.held);
  return hosts && { hosts, still: mending.still, moved: mending.slots.some(slot => slot.sizedAnew) };
}

class Mending {
  slots: Slot[] = [];
  still = true;
  private readonly demand: Demand;
  private readonly frame: Frame;
  private readonly options: RepairOptions;
  private readonly homeless: Portion[] = [];
  /** Pools that need further hosts, with these. */
  private readonly cramped: { readonly held: Held; readonly grown: readonly Slot[] }[] = [];

  constructor(demand: Demand, frame: Frame, options: RepairOptions) {
    this.demand = demand;
    this.frame = frame;
    this.options = options;
  }

  /** Every pool by itself. */
  refit(): void {
    const same = new Map<Held, PlannedPool | undefined>();
    for (const held of this.frame.held) same.set(held, held.same ?? this.asItIs(held));
    const tight = [...same].filter(([held, pool]) => !pool && held.hosts.length === 1).map(([held]) => held);
    // A device that is full can't take its part of what came; another one of the same session may.
    const spilled = new Set(tight.flatMap(held => held.parts.map(part => part.unit)));
    const touched = new Set<Held>();
    for (const unit of spilled) {
      const parts = this.frame.parts.get(unit)!;
      if (parts.length < 2) continue;
      toTheRoomiest(unit, parts);
      for (const part of parts) touched.add(part.held);
    }
    for (const held of touched) same.set(held, this.asItIs(held));
    for (const held of this.frame.held) {
      if (held.same) this.kept(held, held.same);
      else if (held.parts.length === 0) this.still = false;
      else this.slots.push(...this.sized(held, same.get(held)));
    }
    for (const { held, grown } of this.cramped) {
      const lighter = this.lightened(held);
      this.slots.push(...(lighter ? [lighter] : grown));
    }
  }

  /** A place for those that have none; false: there is none. */
  settle(): boolean {
    const asked = this.frame.loose.filter(session => !this.options.waiting.has(session.name));
    const loose = this.demand.units(asked).map((unit): Portion => ({ unit, rateHz: unit.rateHz }));
    if (loose.length > 0) this.still = false;
    const busyOf = ({ unit, rateHz }: Portion): number =>
      ((this.demand.choicesOf(unit)[0]?.busy ?? 0) * rateHz) / unit.rateHz;
    const order = [...this.homeless, ...loose].sort(
      (a, b) => busyOf(b) - busyOf(a) || compareText(a.unit.name, b.unit.name),
    );
    const rest = new Map<Slot['pool']['from'], Portion[]>();
    for (const portion of order) {
      if (portion.unit.replicasMin === 1 && this.join(portion, undefined)) continue;
      const choice = this.demand.choicesOf(portion.unit)[0];
      if (!choice) return false;
      rest.set(choice.from, [...(rest.get(choice.from) ?? []), portion]);
    }
    for (const [from, portions] of rest) {
      const works = worksOf(portions, from, this.demand.workload.curves);
      if (!works) return false;
      const pools = this.options.packer.pack(works, from);
      this.slots.push(...pools.map((pool): Slot => ({ pool, held: undefined, sizedAnew: true })));
    }
    return true;
  }

  /** Devices with little on them give it to others, the emptiest first, as long as the plan is too dear. */
  free(): void {
    let cost = this.slots.reduce((sum, { pool }) => sum + pool.hosts * pool.from.pricePerHour, 0);
    const single = this.slots
      .filter(({ pool }) => pool.hosts === 1 && pool.parts.every(part => part.unit.replicasMin === 1))
      .sort((a, b) => a.pool.occupancy - b.pool.occupancy || compareText(nameOf(a), nameOf(b)));
    for (const slot of single.slice(0, FREED_TRIED)) {
      if (cost <= this.options.costMax + 1e-9) return;
      const before = [...this.slots];
      const { parts, from } = this.slots.find(each => each === slot)?.pool ?? { parts: [], from: slot.pool.from };
      if (parts.length === 0) continue;
      if (parts.every(part => this.join(part, slot))) {
        this.slots = this.slots.filter(each => each !== slot);
        cost -= from.pricePerHour;
      } else this.slots = before;
    }
  }

  private kept(held: Held, pool: PlannedPool): void {
    const wobbles = held.hosts[0]!.sessions.every(
      ({ rateHz, sizedHz = rateHz }) => Math.abs(rateHz - sizedHz) <= (WOBBLE + 1e-9) * sizedHz,
    );
    if (!wobbles) this.still = false;
    this.slots.push({ pool, held, sizedAnew: false });
  }

  private asItIs({ hosts, parts, from }: Held): PlannedPool | undefined {
    const works = worksOf(parts, from, this.demand.workload.curves);
    if (!works || works.length === 0) return undefined;
    if (hosts.length === 1) return onOne(works, hosts[0]!.dutyMs, from);
    return inPool(works, hosts.length, from, this.options.headroom) ?? inPool(works, hosts.length, from, NO_HEADROOM);
  }

  private sized(held: Held, same: PlannedPool | undefined): Slot[] {
    const { hosts, parts, from } = held;
    const growths = parts.map(part => growthOf(part.unit, this.frame.parts.get(part.unit)!));
    const still = !held.lost && growths.every(growth => Math.abs(growth - 1) <= WOBBLE + 1e-9);
    if (!same || !still) this.still = false;
    if (same && (still || hosts.length === 1)) return [{ pool: same, held, sizedAnew: false }];
    if (hosts.length === 1) return this.spilled(held);
    const near = growths.every(growth => growth >= GROWTH_LOW && growth <= GROWTH_HIGH);
    // As busy as that, it can't do with fewer.
    if (same && near && same.occupancy * hosts.length > hosts.length - 1)
      return [{ pool: same, held, sizedAnew: false }];
    const works = worksOf(parts, from, this.demand.workload.curves)!;
    const pools = smallest(works.toSorted(byUrgency), from, this.options.headroom);
    if (same && near && hostsOf(pools) >= hosts.length) return [{ pool: same, held, sizedAnew: false }];
    const grown = pools.map((pool): Slot => ({ pool, held, sizedAnew: true }));
    if (hostsOf(pools) <= hosts.length) return grown;
    this.cramped.push({ held, grown });
    return [];
  }

  /**
   * A further host would load all that the pool holds. One session goes elsewhere instead: the smallest that makes room and
   * that another place takes without a further host; else, as long as cost is no matter, the smallest to a device of its own.
   */
  private lightened(held: Held): Slot | undefined {
    const { hosts, from } = held;
    const bytes = (part: HeldPart): number => bytesOf(part, held, this.demand);
    const order = held.parts.toSorted((a, b) => bytes(a) - bytes(b) || compareText(a.unit.name, b.unit.name));
    let apart: { part: HeldPart; pool: PlannedPool } | undefined;
    let tried = 0;
    for (const part of order) {
      if (part.unit.replicasMin > 1) continue;
      const others = held.parts.filter(each => each !== part);
      const rest = worksOf(others, from, this.demand.workload.curves);
      const pool = rest && rest.length > 0 && inPool(rest, hosts.length, from, this.options.headroom);
      if (!pool) continue;
      if (this.join(part, undefined)) return { pool, held, sizedAnew: true };
      apart ??= { part, pool };
      if (++tried === PARTED_TRIED) break;
    }
    if (!apart || this.options.costMax < Infinity) return undefined;
    this.homeless.push(apart.part);
    return { pool: apart.pool, held, sizedAnew: true };
  }

  /** A device that can't take all that it holds keeps the largest part, and what goes beside it. */
  private spilled(held: Held): Slot[] {
    const { from } = held;
    const { curves } = this.demand.workload;
    const order = held.parts.toSorted(
      (a, b) =>
        b.rateHz / b.unit.rateHz - a.rateHz / a.unit.rateHz ||
        bytesOf(b, held, this.demand) - bytesOf(a, held, this.demand) ||
        compareText(a.unit.name, b.unit.name),
    );
    let pool: PlannedPool | undefined;
    const kept: HeldPart[] = [];
    for (const part of order) {
      const works = worksOf([...kept, part], from, curves)!;
      const more = roomyOnOne(works, from) ?? onOne(works, held.hosts[0]!.dutyMs, from);
      if (more) {
        kept.push(part);
        pool = more;
      } else this.homeless.push(part);
    }
    return pool ? [{ pool, held, sizedAnew: true }] : [];
  }

  /** Puts a portion where it needs no other device; a place that holds the model is the likeliest. */
  private join(portion: Portion, not: Slot | undefined): boolean {
    const likely: { slot: Slot; index: number; score: number }[] = [];
    for (const [index, slot] of this.slots.entries()) {
      if (slot === not) continue;
      const choice = this.demand.choicesOf(portion.unit).find(each => each.from === slot.pool.from);
      if (!choice || slot.pool.hosts * (1 - slot.pool.occupancy) < (choice.busy * portion.rateHz) / portion.unit.rateHz)
        continue;
      const own = slot.pool.parts.some(part => part.unit.name === portion.unit.name);
      const model = slot.pool.parts.some(part => part.unit.members[0]!.model === portion.unit.members[0]!.model);
      likely.push({ slot, index, score: (own ? 8 : 0) + (model ? 4 : 0) + 1 / slot.pool.hosts + slot.pool.occupancy });
    }
    likely.sort((a, b) => b.score - a.score || a.index - b.index);
    for (const { slot, index } of likely.slice(0, PLACES_TRIED)) {
      const pool = this.with(slot.pool, portion);
      if (!pool) continue;
      this.slots[index] = { ...slot, pool, sizedAnew: true };
      return true;
    }
    return false;
  }

  private with({ hosts, parts, from }: PlannedPool, portion: Portion): PlannedPool | undefined {
    const others = parts.filter(part => part.unit.name !== portion.unit.name);
    const own = parts.find(part => part.unit.name === portion.unit.name)?.rateHz ?? 0;
    const works = worksOf(
      [...others, { unit: portion.unit, rateHz: own + portion.rateHz }],
      from,
      this.demand.workload.curves,
    );
    if (!works) return undefined;
    return hosts > 1 ? inPool(works, hosts, from, this.options.headroom) : roomyOnOne(works, from);
  }
}

const nameOf = ({ held, pool }: Slot): string => held?.name ?? pool.parts[0]?.unit.name ?? '';

function bytesOf({ unit }: HeldPart, { from }: Held, demand: Demand): number {
  return demand.workload.curves.find(unit.members[0]!.model, from.kind)?.persistentBytes ?? 0;
}
