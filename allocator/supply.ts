import { termsOf, type DeviceOffer } from './capacity/index.ts';
import type { Curves } from './curve.ts';
import { compareText } from './packing.ts';

/** A host that may be planned with. */
export interface HostView {
  readonly host: string;
  readonly kind: string;
  readonly memoryBytes: number;
  /** Ids of models that it holds or is loading. */
  readonly holds: readonly string[];
  /** Ids of models that failed to load there lately, with the reason. */
  readonly barred: ReadonlyMap<string, string>;
}

/**
 * Live hosts in the words of capacity planning. A host that can't load one of the models in use is of a kind of its own, on which
 * that model has no curve: no policy gives it what it can't hold.
 */
export interface Supply {
  readonly offers: readonly DeviceOffer[];
  /** By model and kind of the offers. */
  readonly curves: Curves;
  /** By name. */
  readonly hosts: readonly SuppliedHost[];
}

export interface SuppliedHost extends HostView {
  readonly offer: DeviceOffer;
  /** Hosts on equal terms can stand for each other. */
  readonly terms: string;
}

/** @param used ids of the models in use */
export function supplyOf(views: readonly HostView[], curves: Curves, used: ReadonlySet<string>): Supply {
  const kinds = new Map<string, { readonly kind: string; readonly barred: ReadonlySet<string> }>();
  const hosts = views
    .toSorted((a, b) => compareText(a.host, b.host))
    .map((view): SuppliedHost => {
      const barred = [...view.barred.keys()].filter(model => used.has(model)).toSorted(compareText);
      const kind = barred.length === 0 ? view.kind : `${view.kind} without ${barred.join(', ')}`;
      kinds.set(kind, { kind: view.kind, barred: new Set(barred) });
      const offer = {
        kind,
        count: 1,
        memoryBytes: view.memoryBytes,
        pricePerHour: 1,
        revocable: false,
        zone: 'default',
      };
      return { ...view, offer, terms: termsOf(offer) };
    });
  const offers = new Map<string, DeviceOffer>();
  for (const { offer, terms } of hosts) offers.set(terms, { ...offer, count: (offers.get(terms)?.count ?? 0) + 1 });
  const find: Curves['find'] = (model, kind) => {
    const real = kinds.get(kind);
    return real && !real.barred.has(model) ? curves.find(model, real.kind) : undefined;
  };
  return {
    hosts,
    offers: [...offers.values()],
    curves: { find, get: (model, kind) => find(model, kind) ?? curves.get(model, kind) },
  };
}
