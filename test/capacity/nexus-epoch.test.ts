import test from 'ava';
import { checkPlan, movesOf, nexus, nexusWith, type CapacityPlan, type Workload } from '../../allocator/index.ts';
import { curve } from '../allocator/profiles.ts';
import { device, session, workload } from './world.ts';

/** On a device: `name rate`, by host, as many Hz as it is planned for. */
const holds = (plan: CapacityPlan): string[] =>
  plan.hosts.map(
    ({ id, sessions }) =>
      `${id.split('-').at(-1)}: ${sessions.map(s => `${s.name} ${Number(s.rateHz.toFixed(3))}`).join(', ')}`,
  );

// a: 16 inputs in 100 ms, so 2ℓ(16) ≤ 200 and a device takes 160 a second. b: 8 in 50 ms, 160 a second within 100 ms.
const curves = [curve('a', { 1: 40, 8: 75, 16: 100 }), curve('b', { 1: 20, 8: 50 })];
const asked = (rates: Readonly<Record<string, number>>): Workload =>
  workload(
    Object.entries(rates).map(([name, rateHz]) =>
      session(name, { model: name[0]!, sloMs: name[0] === 'a' ? 200 : 100, rateHz }),
    ),
    curves,
  );

const step = (from: Readonly<Record<string, number>>, to: Readonly<Record<string, number>>): string[] => {
  const before = nexus(asked(from));
  const after = nexus(asked(to), before);
  if (checkPlan(asked(to), after).length > 0) throw new Error(checkPlan(asked(to), after).join('; '));
  return holds(after);
};

test('nexus epoch: between 0.8 and 1.1 of the planned rate no epoch is due as long as objectives hold', t => {
  t.deepEqual(step({ a: 400 }, { a: 390 }), ['1: a 156', '2: a 156', '3: a 78']);
  t.deepEqual(step({ a: 400 }, { a: 330 }), ['1: a 132', '2: a 132', '3: a 66']);
});

test('nexus epoch: a rate that fell keeps the heaviest devices whole, shrinks the next, unloads the rest', t => {
  // 160 + 160 + 80 planned, below 0.8 of it: 160 stay, 90 of the second's 160, nothing of the third.
  t.deepEqual(step({ a: 400 }, { a: 250 }), ['1: a 160', '2: a 90']);
  t.deepEqual(step({ a: 400 }, { a: 100 }), ['1: a 100']);
});

test('nexus epoch: a fall by less than 3 % stays when another session makes the epoch due', t => {
  t.deepEqual(step({ a: 320, b: 160 }, { a: 312, b: 80 }), ['1: a 156', '2: a 156', '3: b 80']);
  t.deepEqual(step({ a: 320, b: 160 }, { a: 300, b: 80 }), ['1: a 160', '2: a 140', '3: b 80']);
});

test('nexus epoch: a rate that rose fills its devices up to what one takes, the remainder is placed', t => {
  // 160 + 80 planned: the second takes 80 more, 60 are left for another.
  t.deepEqual(step({ a: 240 }, { a: 380 }), ['1: a 160', '2: a 160', '3: a 60']);
});

test('nexus epoch: what is overloaded spills the shorter runs', t => {
  // Every 80 ms two of a (45 ms) and one of b (20 ms). At 150 a second b runs 7 in 46 ms every 47 ms: a runs longer and stays.
  const before = nexus(asked({ a: 20, b: 10 }));
  t.is(before.gpus, 1);
  const after = nexus(asked({ a: 20, b: 150 }), before);
  t.deepEqual(holds(after), ['1: a 20', '2: b 150']);
  t.deepEqual(checkPlan(asked({ a: 20, b: 150 }), after), []);
});

test('nexus epoch: what is new goes where it makes a device fullest, and nobody else is touched', t => {
  const before = nexus(asked({ a1: 130, a2: 120, b1: 20 }));
  const after = nexus(asked({ a1: 130, a2: 120, b1: 20, b2: 15 }), before);
  const at = (name: string): string[] => after.hosts.filter(h => h.sessions.some(s => s.name === name)).map(h => h.id);
  t.is(after.gpus, before.gpus);
  t.deepEqual(at('b2'), at('b1'));
  for (const name of ['a1', 'a2', 'b1']) {
    t.deepEqual(
      at(name),
      before.hosts.filter(h => h.sessions.some(s => s.name === name)).map(h => h.id),
    );
  }
});

test('nexus epoch: what is gone is removed, its device is given back if it held nothing else', t => {
  t.deepEqual(step({ a: 160, b: 160 }, { a: 160 }), ['1: a 160']);
  t.deepEqual(step({ a: 20, b: 10 }, { b: 10 }), ['1: b 10']);
});

test('nexus epoch: fragments stay, unless consolidation is asked for (off, as in the original)', t => {
  const before = nexus(asked({ a1: 100, a2: 110, a3: 120 }));
  t.is(before.gpus, 3);
  // One of each, 40 ms, every 160 ms.
  const now = asked({ a1: 5, a2: 5, a3: 5 });
  t.is(nexus(now, before).gpus, 3);
  const drained = nexusWith({ consolidate: true })(now, before);
  t.is(drained.gpus, 1);
  t.deepEqual(checkPlan(now, drained), []);
  t.deepEqual(movesOf(before, nexus(now, before), now).moves, []);
});

test('nexus epoch: a device that is gone leaves its sessions to be placed, and no device left means a plan from scratch', t => {
  const before = nexus(asked({ a: 320 }));
  const one = { ...asked({ a: 320 }), devices: [device({ count: 1 })] };
  t.deepEqual(checkPlan(one, nexus(one, before)), []);
  t.is(nexus(one, before).refused.length, 1);
});
