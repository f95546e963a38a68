import type { CapacityHost, CapacityPlan, DeviceOffer, SessionDemand, Workload } from './workload.ts';

type Terms = Pick<DeviceOffer, 'kind' | 'zone' | 'memoryBytes' | 'pricePerHour' | 'revocable'>;
/** Devices that can stand for each other in all but zone, price and revocability. */
const isLike = (a: Terms, b: Terms): boolean => a.kind === b.kind && a.memoryBytes === b.memoryBytes;
const isSame = (a: Terms, b: Terms): boolean =>
  isLike(a, b) && a.zone === b.zone && a.pricePerHour === b.pricePerHour && a.revocable === b.revocable;

/**
 * The copies that were asked for, in different zones, one of them where it can't be revoked. Where a session lacks a zone or
 * a firm device, neither another device for one of its hosts nor an exchange with another host may be better for all
 * sessions of these hosts together; and it must have a firm device if such, that can serve it, are there without end.
 */
export function checkCopies(workload: Workload, plan: Pick<CapacityPlan, 'hosts'>): string[] {
  const problems: string[] = [];
  const demands = new Map(workload.sessions.map(session => [session.name, session]));
  const holders = new Map<string, CapacityHost[]>();
  for (const host of plan.hosts) {
    for (const { name } of host.sessions) holders.set(name, [...(holders.get(name) ?? []), host]);
  }
  const used = (offer: DeviceOffer): number => plan.hosts.filter(host => isSame(host, offer)).length;
  const free = workload.devices.filter(offer => used(offer) + 1 <= countOf(workload, offer));

  /** What changes for the better when these hosts get these terms. */
  const gain = (changes: readonly (readonly [CapacityHost, Terms])[]): number => {
    const now = new Map<CapacityHost, Terms>(changes);
    const names = new Set(changes.flatMap(([host]) => host.sessions.map(session => session.name)));
    return [...names].reduce((sum, name) => {
      const hosts = holders.get(name)!;
      const after = hosts.map(host => now.get(host) ?? host);
      return sum + worthOf(demands.get(name), after) - worthOf(demands.get(name), hosts);
    }, 0);
  };

  for (const [name, hosts] of holders) {
    const session = demands.get(name);
    if (!session) continue;
    if (hosts.length < session.replicasMin) {
      problems.push(`${name}: ${hosts.length} of ${session.replicasMin} copies`);
    }
    const offers = workload.devices.filter(offer => offer.count >= 1 && hosts.some(host => isLike(host, offer)));
    if (worthOf(session, hosts) < worthOf(session, offers)) {
      const better = hosts.some(
        host =>
          free.some(offer => isLike(host, offer) && gain([[host, offer]]) > 0) ||
          plan.hosts.some(
            other =>
              other.pool !== host.pool &&
              isLike(host, other) &&
              gain([
                [host, other],
                [other, host],
              ]) > 0,
          ),
      );
      const zones = new Set(hosts.map(host => host.zone)).size;
      const firm = hosts.some(host => !host.revocable) ? '' : ', all of its devices can be revoked';
      if (better) problems.push(`${name}: in ${zones} zone(s)${firm}; another device would be better`);
    }
    const endless = workload.devices.some(
      offer => !offer.revocable && offer.count === Infinity && couldServe(workload, session, offer),
    );
    if (endless && hosts.every(host => host.revocable)) problems.push(`${name}: all its devices can be revoked`);
  }
  return problems;
}

const countOf = (workload: Workload, like: DeviceOffer): number =>
  workload.devices.filter(offer => isSame(offer, like)).reduce((sum, offer) => sum + Math.floor(offer.count), 0);

/** One for each zone up to the copies asked for, one for a device that can't be revoked. */
const worthOf = (session: SessionDemand | undefined, places: readonly Terms[]): number =>
  Math.min(new Set(places.map(place => place.zone)).size, Math.max(1, session?.replicasMin ?? 1)) +
  (places.some(place => !place.revocable) ? 1 : 0);

function couldServe({ curves }: Workload, { model, sloMs }: SessionDemand, offer: DeviceOffer): boolean {
  const curve = curves.find(model, offer.kind);
  if (!curve) return false;
  const { batchMin, persistentBytes, aroundMs } = curve;
  const fits = persistentBytes + curve.ephemeralBytes(batchMin) <= offer.memoryBytes;
  return fits && curve.latencyMs(batchMin) + aroundMs <= sloMs;
}
