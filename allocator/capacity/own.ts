import { describeError, PolicyError } from '../../contracts/index.ts';
import type { BatchRule } from '../query/index.ts';
import { Demand } from './demand.ts';
import { finished } from './finish.ts';
import { serve } from './serve.ts';
import type { CapacityHost, CapacityPlan, CapacityPolicy, DeviceOffer, SessionDemand, Workload } from './workload.ts';

/** A device and what it is to do: what a packing policy of a user's says. */
export interface OwnHost {
  readonly kind: string;
  readonly sessions: readonly {
    /** Of the workload. */
    readonly name: string;
    /** Inputs of a batch, and how many a second of the session's rate. */
    readonly batch: number;
    readonly rateHz: number;
  }[];
}

/** Which devices do what; undefined: those on offer don't suffice. `previous`: what runs now. */
export type Pack = (workload: Workload, previous?: CapacityPlan) => readonly OwnHost[] | undefined;

/** A policy of a user's, as the default export of a file. */
export interface OwnPacking {
  readonly kind: 'packing';
  readonly name: string;
  readonly pack: Pack;
  /** By which rule queries are split for it. */
  readonly rules: readonly [BatchRule, ...BatchRule[]];
}

/**
 * A packing policy of your own. It must be pure: it is called with subsets of the sessions and with lower rates, too, to find out who can
 * be served. Sessions that no device can serve alone are left out before.
 */
export const packingPolicy = (
  name: string,
  pack: Pack,
  { rule = 'independent' }: { readonly rule?: BatchRule } = {},
): OwnPacking => ({ kind: 'packing', name, pack, rules: [rule] });

/** Rates are added up of parts. */
const RATE_SHARE_MIN = 1 - 1e-6;

/** As the allocator plans with it, what it says looked at first. `onFault` hears what is wrong before that is thrown. @throws PolicyError */
export const capacityPolicyOf =
  ({ name, pack }: OwnPacking, onFault: (error: PolicyError) => void): CapacityPolicy =>
  (workload, previous) => {
    const fail = (detail: string, cause?: unknown): never => {
      const error = new PolicyError(name, detail, { cause });
      onFault(error);
      throw error;
    };
    const demand = new Demand(workload);
    const build = (sessions: readonly SessionDemand[]): CapacityHost[] | undefined => {
      let said: readonly OwnHost[] | undefined;
      try {
        said = pack({ ...workload, sessions }, previous);
      } catch (error) {
        fail(`packing threw: ${describeError(error)}`, error);
      }
      if (said === undefined) return undefined;
      const wrong = Array.isArray(said)
        ? whatIsWrong(said, sessions, workload)
        : 'must return a list of devices, or undefined';
      if (wrong !== undefined) fail(wrong);
      return placed(said, sessions, workload);
    };
    return finished(name, demand, serve(demand, build));
  };

/** Why such devices can't serve these sessions; undefined: they can, as far as memory and rates go. */
function whatIsWrong(said: readonly OwnHost[], asked: readonly SessionDemand[], { devices, curves }: Workload) {
  const served = new Map<string, number>();
  for (const [i, { kind, sessions }] of said.entries()) {
    const at = `device ${i} (${kind})`;
    const offers = devices.filter(offer => offer.kind === kind);
    if (offers.length === 0) return `${at}: there is no such kind; there are ${kindsOf(devices).join(', ')}`;
    if (!Array.isArray(sessions) || sessions.length === 0) return `${at}: has no \`sessions\``;
    const models = new Map<string, number>();
    let ephemeral = 0;
    for (const { name, batch, rateHz } of sessions) {
      const session = asked.find(one => one.name === name);
      if (!session) return `${at}: nobody asked for a session "${name}"`;
      const curve = curves.find(session.model, kind);
      if (!curve) return `${at}: ${session.model} was not measured on it`;
      if (!Number.isInteger(batch) || batch < curve.batchMin || batch > curve.batchMax)
        return `${at}: ${name} has a batch of ${batch}; it was measured for ${curve.batchMin} to ${curve.batchMax}`;
      if (!(rateHz >= 0 && rateHz < Infinity)) return `${at}: ${name} has a rate of ${rateHz}`;
      served.set(name, (served.get(name) ?? 0) + rateHz);
      models.set(session.model, curve.persistentBytes);
      ephemeral = Math.max(ephemeral, curve.ephemeralBytes(batch));
    }
    const bytes = [...models.values()].reduce((sum, each) => sum + each, ephemeral);
    const most = Math.max(...offers.map(offer => offer.memoryBytes));
    if (bytes > most) return `${at}: needs ${Math.ceil(bytes / 1e6)} MB, it has ${Math.floor(most / 1e6)} MB`;
  }
  const short = asked.find(({ name, rateHz }) => (served.get(name) ?? 0) < RATE_SHARE_MIN * rateHz);
  return short && `serves ${served.get(short.name) ?? 0} Hz of ${short.name}, which asks for ${short.rateHz} Hz`;
}

const kindsOf = (devices: readonly DeviceOffer[]): string[] => [...new Set(devices.map(({ kind }) => kind))];

/** On the cheapest devices of their kinds that have the memory; undefined: there are not enough. */
function placed(
  said: readonly OwnHost[],
  asked: readonly SessionDemand[],
  { devices, curves }: Workload,
): CapacityHost[] | undefined {
  const left = new Map(devices.map(offer => [offer, offer.count]));
  const numbers = new Map<string, number>();
  const hosts: CapacityHost[] = [];
  for (const { kind, sessions } of said) {
    const its = sessions.map(({ name, batch, rateHz }) => {
      const { model } = asked.find(one => one.name === name)!;
      const curve = curves.get(model, kind);
      return { name, model, batch, rateHz, curve, runMs: curve.latencyMs(batch) };
    });
    const models = new Map(its.map(({ model, curve }) => [model, curve.persistentBytes]));
    const ephemeral = Math.max(...its.map(({ curve, batch }) => curve.ephemeralBytes(batch)));
    const bytes = [...models.values()].reduce((sum, each) => sum + each, ephemeral);
    const offer = devices
      .filter(one => one.kind === kind && one.memoryBytes >= bytes && left.get(one)! >= 1)
      .toSorted((a, b) => a.pricePerHour - b.pricePerHour)[0];
    if (!offer) return undefined;
    left.set(offer, left.get(offer)! - 1);
    const number = (numbers.get(kind) ?? 0) + 1;
    numbers.set(kind, number);
    const { count: _, ...terms } = offer;
    const id = `${kind}-${number}`;
    const dutyMs = its.reduce((sum, { runMs }) => sum + runMs, 0);
    const busy = its.reduce((sum, { rateHz, runMs, batch }) => sum + ((rateHz / 1000) * runMs) / batch, 0);
    hosts.push({
      id,
      pool: id,
      ...terms,
      occupancy: Math.min(1, busy),
      dutyMs,
      sessions: its.map(({ name, model, batch, rateHz, curve, runMs }) => {
        return { name, model, batch, rateHz, latencyMs: curve.aroundMs + dutyMs + runMs };
      }),
    });
  }
  return hosts;
}
