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

/** What of each offer is left while hosts are picked. */
export class Stock {
  private readonly left = new Map<DeviceOffer, number>();

  of(offer: DeviceOffer): number {
    return this.left.get(offer) ?? Math.floor(offer.count);
  }

  private take(offer: DeviceOffer): DeviceOffer {
    this.left.set(offer, this.of(offer) - 1);
    return offer;
  }

  /**
   * Devices for a pool: the first can't be revoked (unless all offers can), the first `spread` are in different zones
   * as far as there are zones, the others are the cheapest. Undefined: not enough of them.
   */
  pick(from: DeviceClass, count: number, spread: number): DeviceOffer[] | undefined {
    const firm = from.offers.some(offer => !offer.revocable);
    const picked: DeviceOffer[] = [];
    const zones = new Set<string>();
    for (let i = 0; i < count; i++) {
      const usable = from.offers.filter(offer => this.of(offer) > 0 && (i > 0 || !firm || !offer.revocable));
      const fresh = i > 0 && i < spread ? usable.filter(offer => !zones.has(offer.zone)) : [];
      const offer = fresh[0] ?? usable[0];
      if (!offer) {
        for (const back of picked) this.left.set(back, this.of(back) + 1);
        return undefined;
      }
      picked.push(this.take(offer));
      zones.add(offer.zone);
    }
    return picked;
  }

  /**
   * One device for sessions that have copies in these zones: in another zone where there is one. The first copy of a
   * session can't be on a device that may be revoked; `copies`: all of them have one elsewhere.
   */
  pickOutside(from: DeviceClass, zones: ReadonlySet<string>, copies: boolean): DeviceOffer[] | undefined {
    const firm = from.offers.some(offer => !offer.revocable) && !copies;
    const usable = from.offers.filter(offer => this.of(offer) > 0 && (!firm || !offer.revocable));
    const offer = usable.find(each => !zones.has(each.zone)) ?? usable[0];
    return offer && [this.take(offer)];
  }
}
