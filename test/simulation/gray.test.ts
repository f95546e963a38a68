import test, { type ExecutionContext } from 'ava';
import { gpuHost } from '../../actors/gpu-host/index.ts';
import { seededRandom } from '../../contracts/index.ts';
import { openEmulatedDevice, WrongOutputError, type Device } from '../../gpu-host/index.ts';
import { emulatedModel, World } from './world.ts';

/** Three hosts that all hold one model, under half of what they can do; one is `times` as slow when told. */
async function cluster(t: ExecutionContext, seed: number, hosts = 3, around = (device: Device): Device => device) {
  const world = new World(seed);
  t.teardown(() => world.stopAll());
  t.teardown(() => void (t.passed || t.log(`seed ${seed}`, world.logged.slice(-60).join('\n'))));
  const slowness = { times: 1 };
  await world.apply(emulatedModel('detector', { alphaMs: 3, betaMs: 9 }), {
    kind: 'Query',
    name: 'traffic',
    streams: ['cam-*'],
    objectiveMs: 200,
    rateHz: 200,
    stages: { detect: { model: 'detector' } },
  });
  await world.allocator('allocator-1', { replicasMin: hosts, slowMs: 15_000 });
  await world.batcher('batcher-1');
  for (let n = 1; n <= hosts; n++) {
    const settings = { kind: 'emulated', memoryMB: 4000 } as const;
    const options = { clock: world.clock, random: seededRandom(seed), slowness: () => (n === 1 ? slowness.times : 1) };
    const device = openEmulatedDevice(settings, options);
    const definition = gpuHost({ openDevice: async () => (n === 1 ? around(device) : device) });
    await world.start(definition, `gpu-${n}`, { device: settings });
  }
  await world.router('router-1');
  await world.clock.runUntilTrue(() => world.plan?.queries.length === 1, 60_000);
  let seq = 0;
  const send = async (ms: number): Promise<{ late: number; sent: number; onFirst: number }> => {
    const from = world.results.length;
    for (let i = 0; i < ms / 5; i++) {
      world.frame(`cam-${i % 3}`, ++seq);
      await world.clock.runFor(5);
    }
    const results = world.results.slice(from);
    return {
      sent: ms / 5,
      late: results.filter(({ outcome }) => outcome !== 'ok').length,
      onFirst: results.filter(({ stages }) => stages['detect']?.[0]?.host === 'gpu-1').length,
    };
  };
  const plansWith = (host: string): boolean => world.plan!.hosts.some(h => h.host === host && h.models.length > 0);
  return { world, slowness, send, plansWith };
}

for (const times of [10, 4])
  test(`gray failure: a host that takes ${times} times as long is relieved, planned around, and taken back when it is well`, async t => {
    const { slowness, send, plansWith } = await cluster(t, 31);
    await send(5_000);
    t.true(plansWith('gpu-1'));
    slowness.times = times;
    const hit = await send(3_000);
    t.true(hit.late <= 0.05 * hit.sent, `${hit.late} of ${hit.sent} not in time while it was found out`);
    const relieved = await send(10_000);
    t.false(plansWith('gpu-1'), 'planned around');
    t.true(relieved.late <= 0.005 * relieved.sent, `${relieved.late} of ${relieved.sent} not in time afterwards`);
    t.true(relieved.onFirst <= 10, `${relieved.onFirst} on the slow one`);
    const trial = await send(9_000);
    t.true(trial.late <= 0.01 * trial.sent, `${trial.late} of ${trial.sent} not in time on trial`);
    t.true(plansWith('gpu-1'), 'it is tried again');
    slowness.times = 1;
    await send(10_000);
    const after = await send(5_000);
    t.true(plansWith('gpu-1'), 'taken back');
    t.true(after.onFirst > 0.2 * after.sent, `${after.onFirst} of ${after.sent} on it`);
    t.is(after.late, 0);
    t.log(
      `not in time: ${hit.late}/${hit.sent} while found out, ${relieved.late}/${relieved.sent} relieved, ${trial.late}/${trial.sent} on trial`,
    );
  });

test('gray failure: a pool whose only host is slow goes on with it', async t => {
  const { slowness, send, plansWith } = await cluster(t, 32, 1);
  await send(3_000);
  slowness.times = 4;
  const slow = await send(10_000);
  t.true(plansWith('gpu-1'));
  t.true(slow.onFirst > 0.2 * slow.sent, `${slow.onFirst} of ${slow.sent} answered`);
});

/** Whose outputs can't be right while told so. */
function lying(device: Device, lies: () => boolean): Device {
  const spoil = (id: string) => new WrongOutputError(id, 'gave a score that is no number');
  return {
    ...device,
    load: async (files, options) => {
      const model = await device.load(files, options);
      return {
        ...model,
        run: async inputs => {
          const { runMs, outputs } = await model.run(inputs);
          return { runMs, outputs: lies() ? outputs.map(() => spoil(model.id)) : outputs };
        },
      };
    },
  };
}

test('gray failure: what a host computes wrongly is asked of another, and the host is relieved until it is well', async t => {
  let lies = false;
  const { send, plansWith } = await cluster(t, 33, 3, device => lying(device, () => lies));
  await send(5_000);
  lies = true;
  const hit = await send(3_000);
  t.true(hit.late <= 0.03 * hit.sent, `${hit.late} of ${hit.sent} not answered well while it was found out`);
  const relieved = await send(8_000);
  t.false(plansWith('gpu-1'));
  t.is(relieved.late, 0);
  lies = false;
  await send(16_000);
  const after = await send(3_000);
  t.true(plansWith('gpu-1'));
  t.true(after.onFirst > 0.2 * after.sent);
  t.log(`not ok: ${hit.late}/${hit.sent} while found out, ${relieved.late}/${relieved.sent} afterwards`);
});
