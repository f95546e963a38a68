import fc from 'fast-check';
import type { CapacityPlan, Curve, Curves, DeviceOffer, SessionDemand, Workload } from '../../allocator/index.ts';
import { curve, linear, type ProfileFacts } from '../allocator/profiles.ts';

export const MB = 1e6;

const curves = (all: readonly Curve[]): Curves => {
  const byKey = new Map(all.map(c => [`${c.model} ${c.kind}`, c]));
  return {
    find: (model, kind) => byKey.get(`${model} ${kind}`),
    get: (model, kind) => byKey.get(`${model} ${kind}`)!,
  };
};

export const device = (facts: Partial<DeviceOffer> = {}): DeviceOffer => ({
  kind: 'k',
  count: Infinity,
  memoryBytes: 11_264 * MB,
  pricePerHour: 1,
  revocable: false,
  zone: 'a',
  ...facts,
});

export const session = (name: string, facts: Partial<SessionDemand> = {}): SessionDemand => ({
  name,
  model: name,
  tenant: 't',
  sloMs: 50,
  rateHz: 100,
  rateVariation: 0,
  priority: 0,
  replicasMin: 1,
  query: undefined,
  ...facts,
});

export const affine = (model: string, alphaMs: number, betaMs: number, facts: ProfileFacts = {}): Curve =>
  curve(model, linear(alphaMs, betaMs, 64), { persistentBytes: 200 * MB, ephemeralBytesPerItem: 10 * MB, ...facts });

export const workload = (
  sessions: readonly SessionDemand[],
  all: readonly Curve[],
  facts: Partial<Workload> = {},
): Workload => ({ devices: [device()], sessions, prefixes: [], curves: curves(all), ...facts });

/** Who is on which host, with which batch: what has to stay when nothing should move. */
export const places = (plan: CapacityPlan): string[] =>
  plan.hosts.map(host => `${host.id} ${host.pool}: ${host.sessions.map(s => s.name).join(' ')}`);

const oneSession = fc.record({
  model: fc.nat({ max: 4 }),
  tenant: fc.constantFrom('t1', 't2', 't3'),
  sloMs: fc.double({ min: 5, max: 400, noNaN: true }),
  rateHz: fc.oneof(
    fc.double({ min: 0, max: 5, noNaN: true }),
    fc.double({ min: 5, max: 900, noNaN: true }),
    fc.double({ min: 1000, max: 20_000, noNaN: true }),
  ),
  rateVariation: fc.constantFrom(0, 0, 0.1, 0.5),
  priority: fc.constantFrom(0, 0, 1),
  replicasMin: fc.constantFrom(1, 1, 1, 2, 3),
  query: fc.constantFrom(undefined, undefined, undefined, 'q1', 'q2'),
});

const oneModel = fc.record({
  alphaMs: fc.double({ min: 0.01, max: 8, noNaN: true }),
  betaMs: fc.double({ min: 0.1, max: 25, noNaN: true }),
  persistentBytes: fc.integer({ min: 50, max: 6000 }),
  ephemeralBytes: fc.integer({ min: 1, max: 200 }),
  batchMax: fc.constantFrom(1, 4, 64),
});

const oneOffer = fc.record({
  kind: fc.constantFrom('k', 'fast'),
  count: fc.constantFrom(1, 3, 20, Infinity),
  memoryBytes: fc.constantFrom(8000 * MB, 11_264 * MB),
  pricePerHour: fc.constantFrom(0.5, 1, 2),
  revocable: fc.constantFrom(false, false, true),
  zone: fc.constantFrom('a', 'b'),
});

interface Facts {
  readonly sessions?: { readonly max?: number; readonly rateMaxHz?: number };
  readonly devices?: readonly DeviceOffer[];
  readonly prefixes?: boolean;
}

/** Workloads of every sort: few and many, tight and loose, scarce and plenty. */
export const anyWorkload = (facts: Facts = {}): fc.Arbitrary<Workload> =>
  fc
    .record({
      sessions: fc.array(oneSession, { minLength: 0, maxLength: facts.sessions?.max ?? 12 }),
      models: fc.array(oneModel, { minLength: 5, maxLength: 5 }),
      devices: facts.devices ? fc.constant([...facts.devices]) : fc.array(oneOffer, { minLength: 1, maxLength: 4 }),
      grouped: fc.boolean(),
    })
    .map(({ sessions, models, devices, grouped }) => {
      const all: Curve[] = models.flatMap((m, i) =>
        ['k', 'fast'].map(kind => {
          const speed = kind === 'fast' ? 0.45 : 1;
          return curve(`m${i}`, linear(m.alphaMs * speed, m.betaMs * speed, m.batchMax), {
            device: kind,
            persistentBytes: m.persistentBytes * MB,
            ephemeralBytesPerItem: m.ephemeralBytes * MB,
          });
        }),
      );
      for (const kind of ['k', 'fast']) {
        all.push(affine('trunk', 0.8, 3, { device: kind }), affine('head', 0.05, 0.2, { device: kind }));
      }
      const named = sessions.map((s, i) =>
        session(`s${i}`, {
          ...s,
          model: `m${s.model}`,
          rateHz: Math.min(s.rateHz, facts.sessions?.rateMaxHz ?? Infinity),
        }),
      );
      const members = named.slice(0, 3).map(s => s.name);
      const prefixes =
        facts.prefixes && grouped
          ? [{ members, prefix: 'trunk', suffixes: new Map(members.map(name => [name, 'head'])) }]
          : [];
      return { devices, sessions: named, prefixes, curves: curves(all) };
    });
