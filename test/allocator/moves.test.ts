import test from 'ava';
import fc from 'fast-check';
import { reach, type Draft, type Holdings } from '../../allocator/index.ts';
import {
  cutOf,
  isPrefix,
  isSuffix,
  modelOf,
  prefixId,
  seededRandom,
  suffixId,
  type Plan,
} from '../../contracts/index.ts';
import { runs } from '../helpers/properties.ts';
import { draft, holding, inForce } from './drafts.ts';

type Hosts = Record<string, string[]>;

const MEMORY = 99; // of 100; a run takes one
const CUT = '0123456789ab';
const GROUPED = ['m0', 'm1', 'm2'];
/** By index. */
const BYTES = [45, 35, 40, 20, 30, 60];
const bytes = (part: string): number => {
  if (isPrefix(part)) return 30;
  return isSuffix(part) ? 5 : BYTES[Number(part.slice(1))]!;
};
const weight = (parts: Iterable<string>): number => [...parts].reduce((sum, part) => sum + bytes(part), 0);

/** Which models a host gets, as far as they fit; those of the group as wholes or behind their prefix. */
const plans = (grouped: boolean): fc.Arbitrary<Hosts> =>
  fc.array(fc.uniqueArray(fc.nat(BYTES.length - 1), { maxLength: 4 }), { minLength: 2, maxLength: 3 }).map(given =>
    Object.fromEntries(
      given.map((indices, h): [string, string[]] => {
        let parts: string[] = [];
        for (const index of indices) {
          const model = `m${index}`;
          const its = grouped && GROUPED.includes(model) ? [prefixId(CUT), suffixId(model, CUT)] : [model];
          const more = [...new Set([...parts, ...its])];
          if (weight(more) <= MEMORY) parts = more;
        }
        return [`h${h}`, parts];
      }),
    ),
  );
const pairs = fc
  .tuple(fc.boolean(), fc.boolean())
  .chain(([before, after]) => fc.tuple(plans(before), plans(after)))
  .map(([before, after]) => {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    const all = (hosts: Hosts): Hosts => Object.fromEntries(names.map(name => [name, hosts[name] ?? []]));
    return { before: all(before), after: all(after) };
  });

const serves = (parts: readonly string[]): string[] =>
  parts.filter(part => !isPrefix(part) && (!isSuffix(part) || parts.includes(prefixId(cutOf(part)!)))).map(modelOf);
const servedBy = (hosts: Hosts): Set<string> => new Set(Object.values(hosts).flatMap(serves));

/** Whether one load or release after the other leads there, with what is served and wanted always somewhere. */
function isReachable(before: Hosts, after: Hosts): boolean {
  const wanted = [...servedBy(before)].filter(model => servedBy(after).has(model));
  const seen = new Set<string>();
  const search = (now: Hosts): boolean => {
    const key = JSON.stringify(Object.values(now).map(parts => parts.toSorted()));
    if (seen.has(key)) return false;
    seen.add(key);
    const moves = Object.keys(now).flatMap((host): Hosts[] => {
      const [held, goal] = [now[host]!, after[host] ?? []];
      const loads = goal.filter(part => !held.includes(part)).map(part => [...held, part]);
      const releases = held.filter(part => !goal.includes(part)).map(part => held.filter(other => other !== part));
      return [...loads.filter(parts => weight(parts) <= MEMORY), ...releases].map(parts => ({ ...now, [host]: parts }));
    });
    if (moves.length === 0) return true;
    return moves.some(next => wanted.every(model => servedBy(next).has(model)) && search(next));
  };
  return search(before);
}

const hostsOf = ({ hosts }: Pick<Plan, 'hosts'>, names: readonly string[]): Hosts =>
  Object.fromEntries(
    names.map(name => [name, hosts.find(({ host }) => host === name)?.models.map(({ model }) => model) ?? []]),
  );
const holdings = (hosts: Hosts): Map<string, Holdings> => holding(hosts, bytes);
const planOf = (next: Draft): Plan => ({ v: 1, epoch: 1, nonce: 'n', ...next });

/** What a plan serves by its pools: sessions whose part is held by a host of the pool. */
function servedIn(plan: Draft): Set<string> {
  return new Set(
    plan.pools.flatMap(pool => {
      const models = plan.sessions.filter(({ name }) => pool.sessions.includes(name)).map(({ model }) => model);
      return models.filter(model => {
        const prefix = pool.groups.find(({ members }) => members.includes(model))?.prefix;
        const needed = prefix === undefined ? [model] : [prefix, suffixId(model, cutOf(prefix)!)];
        return plan.hosts.some(
          ({ host, models: held }) =>
            pool.hosts.includes(host) &&
            needed.every(
              part => held.some(one => one.model === part) && plan.profiles.some(profile => profile.model === part),
            ),
        );
      });
    }),
  );
}

test('reach: step by step to any plan that can be reached, with what is served always somewhere', t => {
  let [blocked, steps] = [0, 0];
  fc.assert(
    fc.property(pairs, ({ before, after }) => {
      const names = Object.keys(before);
      const goal = draft(after, bytes);
      const wanted = [...servedBy(before)].filter(model => servedBy(after).has(model));
      let now = inForce(before, bytes);
      for (let step = 0; ; step++) {
        if (step > 40) throw new Error('it does not end');
        const held = hostsOf(now, names);
        const reached = reach(goal, now, holdings(held));
        if (reached.is === 'blocked') {
          blocked++;
          if (isReachable(before, after)) throw new Error(`blocked: ${JSON.stringify(held)}: ${reached.detail}`);
          return;
        }
        const next = hostsOf(reached.draft, names);
        for (const name of names) {
          const both = weight(new Set([...held[name]!, ...next[name]!]));
          if (both > MEMORY && next[name]!.some(part => !held[name]!.includes(part)))
            throw new Error(`${name} can not hold ${held[name]!.join(' ')} and ${next[name]!.join(' ')}`);
        }
        const lost = wanted.filter(model => !servedIn(reached.draft).has(model));
        if (lost.length > 0) throw new Error(`${lost.join()} would be nowhere`);
        if (reached.is === 'direct') return;
        steps++;
        now = planOf(reached.draft);
      }
    }),
    { ...runs(2000), includeErrorInReport: true },
  );
  t.log({ blocked, steps });
  t.true(steps > 0 && blocked > 0);
});

test('reach: a hundred full hosts whose 200 models are dealt anew get there in a few steps', t => {
  const random = seededRandom(7);
  const size = (part: string): number => 10 + ((7 * Number(part.slice(1))) % 30);
  const dealt = (): Hosts =>
    Object.fromEntries(
      Array.from({ length: 100 }, (_, h): [string, string[]] => {
        let left = MEMORY;
        const models = new Set<string>();
        for (let i = 0; i < 8; i++) {
          const model = `m${Math.floor(200 * random.next())}`;
          if (models.has(model) || size(model) > left) continue;
          models.add(model);
          left -= size(model);
        }
        return [`h${h}`, [...models]];
      }),
    );
  const before = dealt();
  const goal = draft(dealt(), size);
  let now = inForce(before, size);
  let steps = 0;
  for (; steps < 20; steps++) {
    const reached = reach(goal, now, holding(hostsOf(now, Object.keys(before)), size));
    if (reached.is !== 'partial') {
      t.is(reached.is, 'direct');
      break;
    }
    now = planOf(reached.draft);
  }
  t.log({ steps });
  t.true(steps > 1 && steps < 15);
});
