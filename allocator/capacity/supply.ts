import { compareText } from '../packing.ts';
import type { DeviceOffer } from './workload.ts';

/** Offers of the same device: same kind and memory. They may differ in zone, price and whether they can be revoked. */
export interface DeviceClass {
  readonly key: string;
  readonly kind: string;
  readonly memoryBytes: number;
  /** Cheapest first. */
  readonly offers: readonly DeviceOffer[];
  readonly count: number;
  /** Of the cheapest offer that can't be revoked, or of the cheapest if all can. */
  readonly pricePerHour: number;
}

/** Devices that can stand for each other: same kind, zone, memory, price and revocability. */
export const termsOf = (o: Omit<DeviceOffer, 'count'>): string =>
  `${o.kind} ${o.zone} ${o.memoryBytes} ${o.pricePerHour} ${o.revocable}`;

/** Cheapest first; the same offers in any order give the same classes. */
export function classesOf(devices: readonly DeviceOffer[]): DeviceClass[] {
  const groups = new Map<string, DeviceOffer[]>();
  for (const device of devices) {
    if (device.count < 1) continue;
    const key = `${device.kind} ${device.memoryBytes}`;
    const group = groups.get(key);
    if (group) group.push(device);
    else groups.set(key, [device]);
  }
  const classes = [...groups].map(([key, offers]): DeviceClass => {
    const sorted = offers.toSorted(
      (a, b) =>
        a.pricePerHour - b.pricePerHour || Number(a.revocable) - Number(b.revocable) || compareText(a.zone, b.zone),
    );
    const first = sorted[0]!;
    return {
      key,
      kind: first.kind,
      memoryBytes: first.memoryBytes,
      offers: sorted,
      count: sorted.reduce((sum, offer) => sum + Math.floor(offer.count), 0),
      pricePerHour: (sorted.find(offer => !offer.revocable) ?? first).pricePerHour,
    };
  });
  return classes.sort((a, b) => a.pricePerHour - b.pricePerHour || compareText(a.key, b.key));
}

/** Whether it has devices that can't be revoked. */
export const hasFirm = (from: DeviceClass): boolean => from.offers.some(offer => !offer.revocable);

/** What so many devices of a class cost at least; a part of one costs that part. */
export function leastPriceOf(from: DeviceClass, devices: number): number {
  let left = devices;
  let price = 0;
  for (const offer of from.offers) {
    const part = Math.min(left, Math.floor(offer.count));
    price += part * offer.pricePerHour;
    left -= part;
    if (left <= 0) break;
  }
  return price;
}

/** What of each offer is left while hosts are picked. */
export class Stock {
  private readonly left = new Map<DeviceOffer, number>();

  of(offer: DeviceOffer): number {
    return this.left.get(offer) ?? Math.floor(offer.count);
  }

  take(offer: DeviceOffer): void {
    this.left.set(offer, this.of(offer) - 1);
  }

  giveBack(offer: DeviceOffer): void {
    this.left.set(offer, this.of(offer) + 1);
  }

  /** Takes the cheapest that are left; undefined: not so many are. */
  cheapest(from: DeviceClass, count: number): DeviceOffer[] | undefined {
    const taken: DeviceOffer[] = [];
    for (const offer of from.offers) {
      for (let left = this.of(offer); left > 0 && taken.length < count; left--) {
        this.take(offer);
        taken.push(offer);
      }
    }
    return taken.length === count ? taken : undefined;
  }
}
