import test, { type ExecutionContext } from 'ava';
import { emulatedModel, World } from './world.ts';
import { gpuHost } from '../../actors/gpu-host/index.ts';
import { seededRandom, silentLog } from '../../contracts/index.ts';
import { openDevice, type Device, type Prepared } from '../../gpu-host/index.ts';

const RESTART_MS = 1500;

/** A cluster whose hosts die of a picture that says "poison", and are started again. */
async function cluster(t: ExecutionContext, seed: number, delivery: 'interactive' | 'durable', objectiveMs: number) {
  const world = new World(seed);
  t.teardown(() => world.stopAll());
  t.teardown(() => void (t.passed || t.log(`seed ${seed}`, world.logged.slice(-60).join('\n'))));
  const deaths: string[] = [];
  const host = (id: string): Promise<unknown> => {
    const die = (): void => {
      deaths.push(id);
      world.crash(id);
      world.clock.after(RESTART_MS, () => void host(id));
    };
    const around = { clock: world.clock, random: seededRandom(seed), log: silentLog };
    const definition = gpuHost({ openDevice: async settings => fragile(await openDevice(settings, around), die) });
    return world.launch(definition, id, { device: { kind: 'emulated', memoryMB: 4000 } });
  };
  await world.apply(emulatedModel('detector', { alphaMs: 3, betaMs: 6 }), {
    kind: 'Query',
    name: 'traffic',
    streams: ['cam-*'],
    objectiveMs,
    rateHz: 100,
    delivery,
    stages: { detect: { model: 'detector' } },
  });
  await world.allocator('allocator-1', { replicasMin: 3 });
  await world.batcher('batcher-1');
  for (const id of ['gpu-1', 'gpu-2', 'gpu-3']) await world.clock.settle(host(id));
  await world.router('router-1');
  await world.clock.runUntilTrue(() => world.plan?.queries.length === 1, 60_000);
  return { world, deaths };
}

function fragile(device: Device, die: () => void): Device {
  const poisoned = new WeakSet<Prepared>();
  return {
    ...device,
    load: async (files, options) => {
      const model = await device.load(files, options);
      return {
        ...model,
        prepare: async payload => {
          const prepared = await model.prepare(payload);
          if (payload.encoding === 'jpeg' && new TextDecoder().decode(payload.data).startsWith('poison'))
            poisoned.add(prepared);
          return prepared;
        },
        run: inputs => {
          if (!inputs.some(input => poisoned.has(input))) return model.run(inputs);
          die();
          return new Promise(() => {});
        },
      };
    },
  };
}

test('poison: among a hundred frames a second, one that kills hosts kills two, and all others are answered', async t => {
  const { world, deaths } = await cluster(t, 21, 'interactive', 20_000);
  for (let seq = 1; seq <= 800; seq++) {
    world.frame('cam-1', seq, seq === 200 ? 'poison' : 'fine');
    await world.clock.runFor(10);
  }
  await world.clock.runUntilTrue(() => world.results.length === 800, 30_000);
  t.is(deaths.length, 2, deaths.join());
  const failed = world.results.filter(({ outcome }) => outcome !== 'ok');
  t.like(failed, [{ seq: 200, outcome: 'failed', trouble: { reason: 'poison' } }]);
  t.is(failed.length, 1);
});

test('poison: a stored frame whose objective is shorter than a death takes to be noticed is buried all the same', async t => {
  const { world, deaths } = await cluster(t, 22, 'durable', 300);
  await world.clock.runFor(2_000);
  for (let seq = 1; seq <= 300; seq++) {
    world.frame('cam-1', seq, seq === 50 ? 'poison' : 'fine');
    await world.clock.runFor(20);
  }
  await world.clock.runUntilTrue(() => world.results.length >= 300, 60_000);
  t.is(deaths.length, 2, deaths.join());
  t.like(
    world.results.filter(({ outcome }) => outcome === 'failed'),
    [{ seq: 50, trouble: { reason: 'poison' } }],
  );
  t.is(new Set(world.results.map(({ seq }) => seq)).size, 300);
});
