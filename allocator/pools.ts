import type { Plan, PlannedHost } from '../contracts/index.ts';
import { compareText } from './packing.ts';

type Pool = Plan['pools'][number];

/**
 * Pools are the connected components of "which host holds which model". A pool keeps the name of the current pool
 * with which it shares most hosts and sessions, and its batcher while that lives; others go to the batcher with the
 * fewest pools.
 * @param sessions name → model id
 * @param batchers ids of the live ones, at least one
 */
export function poolsOf(
  hosts: readonly PlannedHost[],
  sessions: ReadonlyMap<string, string>,
  batchers: readonly string[],
  current: readonly Pool[],
): Pool[] {
  const components = componentsOf(hosts, sessions);
  const named = name(components, current);
  const pools: Pool[] = [];
  const count = new Map<string, number>(batchers.map(batcher => [batcher, 0]));
  const settle = (pool: string, component: Component, batcher: string): void => {
    count.set(batcher, count.get(batcher)! + 1);
    pools.push({ pool, batcher, ...component, groups: [] });
  };
  const homeless: [string, Component][] = [];
  for (const [pool, component] of named) {
    const batcher = current.find(c => c.pool === pool)?.batcher;
    if (batcher !== undefined && count.has(batcher)) settle(pool, component, batcher);
    else homeless.push([pool, component]);
  }
  for (const [pool, component] of homeless) {
    const [batcher] = [...count].toSorted((a, b) => a[1] - b[1] || compareText(a[0], b[0]))[0]!;
    settle(pool, component, batcher);
  }
  return pools.toSorted((a, b) => compareText(a.pool, b.pool));
}

interface Component {
  readonly hosts: string[];
  readonly sessions: string[];
}

function componentsOf(hosts: readonly PlannedHost[], sessions: ReadonlyMap<string, string>): Component[] {
  const left = new Set(hosts.filter(host => host.models.length > 0));
  const components: Component[] = [];
  for (const first of left) {
    left.delete(first);
    const members = [first];
    const models = new Set<string>();
    for (const host of members) {
      for (const { model } of host.models) models.add(model);
      for (const other of left) {
        if (!other.models.some(({ model }) => models.has(model))) continue;
        left.delete(other);
        members.push(other);
      }
    }
    components.push({
      hosts: members.map(host => host.host).toSorted(compareText),
      sessions: [...sessions]
        .filter(([, model]) => models.has(model))
        .map(([session]) => session)
        .toSorted(compareText),
    });
  }
  return components.toSorted((a, b) => compareText(a.hosts[0]!, b.hosts[0]!));
}

function name(components: readonly Component[], current: readonly Pool[]): [string, Component][] {
  const shared = (a: readonly string[], b: readonly string[]): number => a.filter(x => b.includes(x)).length;
  const pairs = components.flatMap((component, index) =>
    current.map(pool => {
      const overlap = shared(component.hosts, pool.hosts) + shared(component.sessions, pool.sessions);
      return { index, pool: pool.pool, overlap };
    }),
  );
  const names = new Map<number, string>();
  const taken = new Set<string>();
  for (const { index, pool, overlap } of pairs.toSorted((a, b) => b.overlap - a.overlap)) {
    if (overlap === 0 || names.has(index) || taken.has(pool)) continue;
    names.set(index, pool);
    taken.add(pool);
  }
  return components.map((component, index) => [names.get(index) ?? freshName(taken), component]);
}

/** A name for a pool that isn't taken; it is then. */
export function freshName(taken: Set<string>): string {
  let number = 1;
  while (taken.has(`pool-${number}`)) number++;
  taken.add(`pool-${number}`);
  return `pool-${number}`;
}
