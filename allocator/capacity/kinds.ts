import { canServe, compareText } from '../packing.ts';
import { hasFirm, type DeviceClass } from './supply.ts';
import { leastEachMs, tableOf } from './table.ts';
import { workOn, type Unit, type Work } from './unit.ts';
import type { Workload } from './workload.ts';

/** A unit on a class that could serve it. */
export interface Choice {
  readonly from: DeviceClass;
  readonly work: Work;
  /** Devices that it keeps busy there, about. */
  readonly busy: number;
  readonly costPerHour: number;
}

/** Works by class. */
export type Assignment = ReadonlyMap<DeviceClass, readonly Work[]>;

/** So many ways to give units to classes are all tried. */
const EXACT_WAYS_MAX = 128;
/** Where counts are limited, how much of them is given out before whole devices are counted. */
const FILLS = [1, 0.95, 0.9, 0.8, 0.65];

/** Where a unit could run, cheapest first. */
export function choicesOf(unit: Unit, classes: readonly DeviceClass[], workload: Workload): Choice[] {
  const choices: Choice[] = [];
  for (const from of classes) {
    const work = workOn(unit, from.kind, workload.curves);
    if (!work || !canServe(work, from.memoryBytes)) continue;
    const busy = Math.max(1e-9, busyAbout(work));
    choices.push({ from, work, busy, costPerHour: busy * from.pricePerHour });
  }
  return choices.sort(
    (a, b) => a.costPerHour - b.costPerHour || a.busy - b.busy || compareText(a.from.key, b.from.key),
  );
}

/**
 * The choices with a device that can't be revoked, and zones for the copies that are asked for, as far as any has them.
 * `scarce`: all of them, unless one of those has such devices without end.
 */
export function suitable(unit: Unit, choices: readonly Choice[], scarce = false): readonly Choice[] {
  const grade = ({ from }: Choice): number =>
    (hasFirm(from) ? unit.replicasMin + 1 : 0) +
    Math.min(unit.replicasMin, new Set(from.offers.map(offer => offer.zone)).size);
  const most = Math.max(...choices.map(grade));
  const best = choices.filter(choice => grade(choice) === most);
  const endless = best.some(({ from }) => from.offers.some(offer => !offer.revocable && offer.count === Infinity));
  return scarce && !endless ? choices : best;
}

/** With the batches of a pool of a few hosts. */
function busyAbout(work: Work): number {
  const { curve, deviceMs, rateHz } = work;
  const table = tableOf(curve);
  let [low, high] = [curve.batchMin, curve.batchMax];
  while (low < high) {
    const b = Math.ceil((low + high) / 2);
    const runMs = table.latencyMs[b - curve.batchMin]!;
    if (1.25 * runMs <= deviceMs && runMs + ((b - 1) * 1000) / rateHz <= deviceMs) low = b;
    else high = b - 1;
  }
  return (rateHz / 1000) * leastEachMs(table, low);
}

/**
 * Ways to give units to classes of devices that are worth planning in full: each to where its requests cost least, as
 * far as counts allow (those that would lose most elsewhere choose first; a unit too large for what is left is cut);
 * all on one class; and with few units and classes, every way.
 */
export function* assignments(choices: readonly (readonly Choice[])[]): Generator<Assignment> {
  const classes = [...new Set(choices.flatMap(each => each.map(choice => choice.from)))];
  const limited = classes.some(from => from.count < Infinity);
  for (const fill of limited && classes.length > 1 ? FILLS : [Infinity]) yield filled(choices, fill);
  if (classes.length < 2) return;
  const ways = choices.reduce((product, each) => Math.min(EXACT_WAYS_MAX + 1, product * each.length), 1);
  if (ways <= EXACT_WAYS_MAX) {
    yield* everyWay(choices);
    return;
  }
  for (const from of classes) {
    const all = choices.map(each => each.find(choice => choice.from === from));
    if (all.every(choice => choice !== undefined)) yield new Map([[from, all.map(choice => choice.work)]]);
  }
}

function filled(choices: readonly (readonly Choice[])[], fill: number): Assignment {
  const regret = (each: readonly Choice[]): number =>
    each.length < 2 ? Infinity : each[1]!.costPerHour / each[0]!.costPerHour;
  const left = new Map<DeviceClass, number>();
  const given = new Given();
  const order =
    fill === Infinity
      ? choices
      : choices.toSorted((a, b) => regret(b) - regret(a) || compareText(a[0]!.work.name, b[0]!.work.name));
  for (const each of order) {
    let share = 1;
    for (const { from, work, busy } of each) {
      const room = left.get(from) ?? (fill === Infinity ? Infinity : from.count * fill);
      const part = Math.min(share, busy > 0 ? room / busy : share);
      // Less than a twentieth isn't worth another place.
      if (part < Math.min(share, 0.05)) continue;
      left.set(from, room - part * busy);
      given.add(from, part === 1 ? work : { ...work, rateHz: part * work.rateHz });
      share -= part;
      if (share <= 1e-9) break;
    }
    if (share > 1e-9) given.add(each[0]!.from, { ...each[0]!.work, rateHz: share * each[0]!.work.rateHz });
  }
  for (const [from, works] of given) given.set(from, joined(works));
  return given;
}

/**
 * Units that are cheapest on a class all of whose devices can be revoked, and want no copies: what one firm device can
 * do on the cheapest class that has such, the rest where it is cheapest. Undefined: there is no such unit.
 */
export function anchored(choices: readonly (readonly Choice[])[]): Assignment | undefined {
  const given = new Given();
  let cuts = 0;
  for (const each of choices) {
    const firm = each.find(choice => hasFirm(choice.from));
    const [cheap] = each;
    const { work } = firm ?? cheap!;
    if (!firm || hasFirm(cheap!.from) || firm.busy <= 1 || work.unit.replicasMin > 1)
      given.add((firm ?? cheap!).from, work);
    else {
      cuts++;
      given.add(firm.from, { ...work, rateHz: work.rateHz / firm.busy });
      given.add(cheap!.from, { ...cheap!.work, rateHz: work.rateHz * (1 - 1 / firm.busy) });
    }
  }
  return cuts > 0 ? given : undefined;
}

class Given extends Map<DeviceClass, Work[]> {
  add(from: DeviceClass, work: Work): void {
    const works = this.get(from);
    if (works) works.push(work);
    else this.set(from, [work]);
  }
}

/** Parts of one unit that ended on one class are one work. */
function joined(works: readonly Work[]): Work[] {
  const byName = new Map<string, Work>();
  for (const work of works) {
    const known = byName.get(work.name);
    byName.set(work.name, known ? { ...known, rateHz: known.rateHz + work.rateHz } : work);
  }
  return [...byName.values()];
}

function* everyWay(choices: readonly (readonly Choice[])[]): Generator<Assignment> {
  const index = choices.map(() => 0);
  for (;;) {
    const given = new Given();
    for (const [i, each] of choices.entries()) {
      const { from, work } = each[index[i]!]!;
      given.add(from, work);
    }
    yield given;
    let i = 0;
    while (i < index.length && ++index[i]! === choices[i]!.length) index[i++] = 0;
    if (i === index.length) return;
  }
}
