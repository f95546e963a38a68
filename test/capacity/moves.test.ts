import test from 'ava';
import { movesOf, type CapacityHost, type CapacityPlan, type Workload } from '../../allocator/index.ts';
import { checkSteps } from './steps.ts';
import { affine, device, MB, session, workload } from './world.ts';

/** A plan by hand: host → names of its sessions; s runs on the model of its name, s/p behind the prefix p. */
const planOf = (hosts: Readonly<Record<string, string>>, memoryMB: number): CapacityPlan => {
  const all = Object.entries(hosts).map(
    ([id, names]): CapacityHost => ({
      ...device({ memoryBytes: memoryMB * MB }),
      id,
      pool: id,
      occupancy: 0.5,
      dutyMs: 10,
      sessions: names.split(' ').map(each => {
        const [name, prefix] = each.split('/') as [string, string | undefined];
        const entry = { name, model: name, batch: 1, rateHz: 1, latencyMs: 20 };
        return prefix === undefined ? entry : { ...entry, model: `${name}-head`, prefix, prefixBatch: 1 };
      }),
    }),
  );
  const bound = { gpus: 0, costPerHour: 0, independentGpus: 0, independentCostPerHour: 0 };
  return { policy: 'pooled', gpus: all.length, costPerHour: all.length, bound, hosts: all, refused: [], notes: [] };
};

/** Models of these sizes, each with 10 MB for a batch of one. */
const world = (megabytes: Readonly<Record<string, number>>): Workload =>
  workload(
    Object.keys(megabytes).map(name => session(name)),
    Object.entries(megabytes).map(([model, size]) =>
      affine(model, 1, 1, { persistentBytes: size * MB, ephemeralBytesPerItem: 10 * MB }),
    ),
  );

const steps = (from: CapacityPlan, to: CapacityPlan, given: Workload): string[] =>
  movesOf(from, to, given).moves.map(m => `${m.do} ${m.model} ${m.host}${m.spare ? ' spare' : ''}`);

test('moves: a model is loaded at its new host before the old one lets go of it', t => {
  const given = world({ a: 400, b: 400 });
  const [from, to] = [planOf({ g1: 'a b', g2: 'b' }, 1000), planOf({ g1: 'b', g2: 'a b' }, 1000)];
  t.deepEqual(steps(from, to, given), ['load a g2', 'unload a g1']);
  t.deepEqual(checkSteps(from, to, movesOf(from, to, given), given), []);
});

test('moves: what nobody asks for any more makes room for what comes', t => {
  const given = world({ a: 700, b: 700 });
  const [from, to] = [planOf({ g1: 'a' }, 1000), planOf({ g1: 'b' }, 1000)];
  t.deepEqual(steps(from, to, given), ['unload a g1', 'load b g1']);
});

test('moves: two full hosts exchange models (a third with room parks the smaller one)', t => {
  const given = world({ a: 700, b: 600, c: 100 });
  const from = planOf({ g1: 'a', g2: 'b', g3: 'c' }, 1000);
  const to = planOf({ g1: 'b', g2: 'a', g3: 'c' }, 1000);
  const migration = movesOf(from, to, given);
  t.deepEqual(steps(from, to, given), [
    'load b g3 spare',
    'unload b g2',
    'load a g2',
    'unload a g1',
    'load b g1',
    'unload b g3 spare',
  ]);
  t.deepEqual(migration.blocked, []);
  t.is(migration.loadedBytes, (600 + 700 + 600) * MB);
  t.deepEqual(checkSteps(from, to, migration, given), []);
});

test('moves: two full hosts exchange models (nowhere to park: blocked, nothing is broken, what can go on goes on)', t => {
  const given = world({ a: 700, b: 600, c: 500, d: 100 });
  const from = planOf({ g1: 'a', g2: 'b', g3: 'c' }, 1000);
  const to = planOf({ g1: 'b', g2: 'a', g3: 'c d' }, 1000);
  const migration = movesOf(from, to, given);
  t.deepEqual(steps(from, to, given), ['load d g3']);
  t.deepEqual(
    migration.blocked.map(({ host, model }) => `${host} ${model}`),
    ['g1 b', 'g2 a'],
  );
  t.regex(migration.blocked[0]!.detail, /add a device/);
  t.deepEqual(checkSteps(from, to, migration, given), []);
});

test('moves: three full hosts pass models on in a ring (one is parked, the others follow)', t => {
  const given = world({ a: 700, b: 600, c: 650, d: 50 });
  const from = planOf({ g1: 'a', g2: 'b', g3: 'c', g4: 'd' }, 1000);
  const to = planOf({ g1: 'c', g2: 'a', g3: 'b', g4: 'd' }, 1000);
  const migration = movesOf(from, to, given);
  t.deepEqual(migration.blocked, []);
  t.is(migration.moves.filter(move => move.spare && move.do === 'load').length, 1);
  t.deepEqual(checkSteps(from, to, migration, given), []);
});

test('moves: a session that changes to prefix and suffix keeps its model until both are there', t => {
  const given = world({ a: 400, 'a-head': 100, p: 300, b: 400 });
  const [from, to] = [planOf({ g1: 'a', g2: 'b' }, 1000), planOf({ g1: 'b', g2: 'a/p' }, 1000)];
  const order = steps(from, to, given);
  t.true(order.indexOf('unload a g1') > order.indexOf('load p g2'));
  t.true(order.indexOf('unload a g1') > order.indexOf('load a-head g2'));
  t.deepEqual(checkSteps(from, to, movesOf(from, to, given), given), []);
});

test('moves: prefix and suffix are parked together', t => {
  const given = world({ a: 0, 'a-head': 100, p: 500, b: 900, c: 50 });
  const from = planOf({ g1: 'a/p', g2: 'b', g3: 'c' }, 1000);
  const to = planOf({ g1: 'b', g2: 'a/p', g3: 'c' }, 1000);
  const migration = movesOf(from, to, given);
  t.deepEqual(migration.blocked, []);
  t.deepEqual(checkSteps(from, to, migration, given), []);
});

test('moves: sessions whose set of hosts changes are counted, and bytes of weights alone', t => {
  const given = world({ a: 100, b: 200, c: 300 });
  const from = planOf({ g1: 'a b', g2: 'b c' }, 2000);
  const to = planOf({ g1: 'a b c', g2: 'b' }, 2000);
  const { sessionsMoved, loadedBytes } = movesOf(from, to, given);
  t.is(sessionsMoved, 1);
  t.is(loadedBytes, 300 * MB);
  t.is(movesOf(undefined, from, given).loadedBytes, (100 + 200 + 200 + 300) * MB);
  t.is(movesOf(undefined, from, given).sessionsMoved, 3);
  t.deepEqual(movesOf(from, from, given).moves, []);
});
