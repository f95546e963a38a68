import test from 'ava';
import { DeviceError, ModelError, sleep } from '../../contracts/index.ts';
import type { Device } from '../../gpu-host/index.ts';
import { DET, document, openRig, picture, REC, stored, withModels } from './rig.ts';

const planned = (model: string, more: object = {}) => ({ model, lane: 0, batches: [1, 4], batchMax: 4, ...more });

test('gpu-host: prepare loads, warms every planned size, then says resident', async t => {
  const host = await openRig(t);
  t.deepEqual(host.beat()?.state ?? 'ready', 'ready');
  await host.order({ verb: 'prepare', models: [planned(DET.id)] }, { epoch: 3, nonce: 'n' });
  await host.clock.runFor(1);
  t.like(host.beat(), { epoch: 3, nonce: 'n' });
  t.is(host.resident(DET.id)!.state, 'loading');
  await host.clock.runFor(52);
  t.is(host.resident(DET.id)!.state, 'warming', 'a run of 1 takes 12 ms, one of 4 takes 18');
  t.deepEqual(host.resident(DET.id)!.batches, []);
  await host.clock.runFor(12);
  t.like(host.resident(DET.id), { state: 'warming', batches: [1] });
  await host.clock.runFor(20);
  t.like(host.resident(DET.id), { state: 'resident', batches: [1, 4], queued: 0, persistentBytes: 100e6 });
  t.like(host.beat(), { persistentBytes: 100e6, ephemeralBytes: 40e6 });
});

test('gpu-host: prepare is idempotent, and extends what is resident', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  const beats = host.beats.length;
  t.true((await host.order({ verb: 'prepare', models: [planned(DET.id)] })).accepted);
  await host.clock.runFor(10);
  t.like(host.resident(DET.id), { state: 'resident', batches: [1, 4] });
  t.true(host.beats.length <= beats + 1);
  await host.order({ verb: 'prepare', models: [planned(DET.id, { batches: [4, 8], batchMax: 8 })] });
  host.grant('b1', { ids: [1] });
  await host.clock.runFor(5);
  t.like(host.resident(DET.id), { state: 'resident', ephemeralBytes: 80e6 });
  await host.clock.runFor(100);
  t.deepEqual(host.resident(DET.id)!.batches, [1, 4, 8]);
  t.is(host.said('b1')[1]!.is, 'output', 'it served meanwhile');
});

test('gpu-host: while two plans are in force the larger batches count, then those of the latest', async t => {
  const host = await openRig(t);
  await host.order({ verb: 'prepare', models: [planned(DET.id, { batchMax: 8 })] });
  await host.clock.runFor(200);
  await host.order({ verb: 'prepare', models: [planned(DET.id, { batchMax: 2, batches: [1] })] });
  await host.clock.runFor(1000);
  t.is(host.resident(DET.id)!.ephemeralBytes, 80e6);
  await host.order({ verb: 'release', keep: [DET.id] });
  await host.clock.runFor(10);
  t.is(host.resident(DET.id)!.ephemeralBytes, 20e6);
});

test('gpu-host: a size that can not be warmed up is told, what is resident serves on and can be released', async t => {
  const device = withModels(model => ({
    run: inputs => (inputs.length > 4 ? Promise.reject(new ModelError(model.id, 'out of memory')) : model.run(inputs)),
  }));
  const host = await openRig(t, { device });
  await host.prepare(DET.id);
  await host.order({ verb: 'prepare', models: [planned(DET.id, { batches: [4, 8], batchMax: 8 })] });
  await host.clock.runFor(200);
  t.like(host.resident(DET.id), { state: 'resident', batches: [1, 4] });
  t.regex(host.resident(DET.id)!.detail!, /out of memory/);
  host.grant('b1', { ids: [1] });
  await host.clock.runFor(50);
  t.is(host.said('b1')[1]!.is, 'output');
  await host.order({ verb: 'release', keep: [] });
  await host.clock.runFor(10);
  t.deepEqual(host.beat().residents, []);
});

test('gpu-host: orders of an older plan, or of a rival leader, are fenced', async t => {
  const host = await openRig(t);
  const release = { verb: 'release' as const, keep: [] };
  await host.order({ verb: 'prepare', models: [planned(DET.id)] }, { epoch: 5, nonce: 'a' });
  t.like(await host.order(release, { epoch: 4, nonce: 'a' }), { accepted: false, reason: 'fenced' });
  t.like(await host.order(release, { epoch: 5, nonce: 'b' }), { accepted: false, reason: 'fenced' });
  await host.clock.runFor(500);
  t.is(host.resident(DET.id)!.state, 'resident');
  t.like(await host.order(release, { epoch: 6, nonce: 'b' }), { accepted: true });
  await host.clock.runFor(10);
  t.deepEqual(host.beat().residents, []);
  t.like(host.beat(), { epoch: 6, nonce: 'b' });
});

test('gpu-host: an unknown model, another version, a batch that the model can not take (named)', async t => {
  const host = await openRig(t);
  const refusal = async (...models: ReturnType<typeof planned>[]) => {
    const reply = await host.order({ verb: 'prepare', models });
    return reply.accepted ? 'accepted' : `${reply.reason}: ${reply.detail}`;
  };
  t.regex(await refusal(planned('ghost@000000000000')), /^unknown-model: .*ghost/);
  t.regex(await refusal(planned('det@ffffffffffff')), /^unknown-model: .*applied now is det@0{12}/);
  t.regex(await refusal(planned('not an id')), /^unknown-model: /);
  t.regex(await refusal(planned(DET.id), planned(REC.id, { batchMax: 9 })), /^failed: .*at most 8, 9 was planned/);
  await host.clock.runFor(10);
  t.deepEqual(host.beat().residents, [], 'an order is obeyed whole or not at all');
});

test('gpu-host: an old version stays while it is asked for', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  await host.apply(stored(document('det'), '7'));
  t.like(await host.order({ verb: 'prepare', models: [planned(DET.id), planned('det@777777777777')] }), {
    accepted: true,
  });
  await host.clock.runFor(500);
  t.deepEqual(
    host.beat().residents.map(r => `${r.model} ${r.state}`),
    ['det@000000000000 resident', 'det@777777777777 resident'],
  );
});

test('gpu-host: a plan that memory can not hold is refused with the figures', async t => {
  const host = await openRig(t, { memoryMB: 260 });
  await host.prepare(DET.id);
  const both = await host.order({ verb: 'prepare', models: [planned(REC.id, { batchMax: 8 })] });
  t.like(both, { accepted: false, reason: 'memory' });
  t.regex((both as { detail: string }).detail, /200\.0 MB .* 80\.0 MB .* 260\.0 MB/);
  const sharing = await host.order({ verb: 'prepare', models: [planned(REC.id)] });
  t.true(sharing.accepted, 'models of a lane share its working memory');
});

test('gpu-host: a model that turns out larger than estimated fails, and says why', async t => {
  const device = withModels(() => ({ persistentBytes: 2e9 }));
  const host = await openRig(t, { device });
  await host.order({ verb: 'prepare', models: [planned(DET.id)] });
  await host.clock.runFor(100);
  t.is(host.resident(DET.id)!.state, 'failed');
  t.regex(host.resident(DET.id)!.detail!, /2000\.0 MB/);
  t.is(host.beat().persistentBytes, 0, 'it holds nothing');
});

test('gpu-host: a model that can not be loaded fails; ordering it again tries again', async t => {
  let broken = true;
  const device = (real: Device): Device => ({
    ...real,
    load: (files, options) =>
      broken ? Promise.reject(new Error('protobuf parsing failed')) : real.load(files, options),
  });
  const host = await openRig(t, { device });
  await host.order({ verb: 'prepare', models: [planned(DET.id)] });
  await host.clock.runFor(100);
  t.like(host.resident(DET.id), { state: 'failed', detail: 'protobuf parsing failed' });
  broken = false;
  await host.prepare(DET.id);
  t.is(host.resident(DET.id)!.state, 'resident');
  t.is(host.resident(DET.id)!.detail, undefined);
});

test('gpu-host: release waits for the batches that are queued, then unloads', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id, REC.id);
  host.grant('b1', { ids: [1], expectedMs: 12 });
  host.outline('b2', { ids: [2], latestInMs: 100, expectedMs: 12 });
  await host.clock.runFor(2);
  t.true((await host.order({ verb: 'release', keep: [REC.id] })).accepted);
  await host.clock.runFor(30);
  t.like(host.running.state.host!.residents.report()[0], { state: 'releasing', queued: 1 });
  host.payloads('b2', [2]);
  await host.clock.runFor(50);
  t.is(host.said('b2')[2]!.is, 'output');
  t.deepEqual(
    host.beat().residents.map(r => r.model),
    [REC.id],
  );
  host.grant('b3', { ids: [3] });
  await host.clock.runFor(5);
  t.like(host.said('b3')[3], { is: 'refused', reason: 'not-resident' });
});

test('gpu-host: release and prepare while a model loads (the latest order counts)', async t => {
  const host = await openRig(t);
  await host.order({ verb: 'prepare', models: [planned(DET.id)] });
  await host.order({ verb: 'release', keep: [] });
  await host.clock.runFor(500);
  t.deepEqual(host.beat().residents, []);
  await host.order({ verb: 'prepare', models: [planned(DET.id)] });
  await host.order({ verb: 'release', keep: [] });
  await host.order({ verb: 'prepare', models: [planned(DET.id)] });
  await host.clock.runFor(500);
  t.like(host.resident(DET.id), { state: 'resident', batches: [1, 4] });
});

test('gpu-host: a model ordered again while it drains stays', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.grant('b1', { ids: [1] });
  await host.order({ verb: 'release', keep: [] });
  t.true((await host.order({ verb: 'prepare', models: [planned(DET.id)] })).accepted);
  await host.clock.runFor(100);
  t.like(host.resident(DET.id), { state: 'resident', batches: [1, 4] });
});

test('gpu-host: profile measures what is not resident, stores it, and lets it go', async t => {
  const host = await openRig(t);
  t.true((await host.order({ verb: 'profile', model: DET.id, batchMax: 4 })).accepted);
  t.true((await host.order({ verb: 'profile', model: DET.id, batchMax: 4 })).accepted, 'idempotent');
  await host.clock.runUntilTrue(() => host.beat()?.residents[0]?.state === 'resident');
  await host.clock.runUntilTrue(() => host.beat().residents.length === 0);
  const profile = await host.profile('det.000000000000.emulated');
  t.like(profile, { model: DET.id, device: 'emulated', emulated: true, loadMs: 50, persistentBytes: 100e6 });
  t.deepEqual(
    profile!.points.map(p => [p.batch, p.meanMs]),
    [
      [1, 12],
      [2, 14],
      [3, 16],
      [4, 18],
    ],
  );
});

test('gpu-host: a model that can not be measured stays as failed, and says why, until it is released', async t => {
  const device = withModels(model => ({
    run: inputs => (inputs.length > 2 ? Promise.reject(new ModelError(model.id, 'out of memory')) : model.run(inputs)),
  }));
  const host = await openRig(t, { device });
  await host.order({ verb: 'profile', model: DET.id, batchMax: 4 });
  await host.clock.runFor(2000);
  t.like(host.resident(DET.id), { state: 'failed' });
  t.regex(host.resident(DET.id)!.detail!, /out of memory/);
  t.is(await host.profile('det.000000000000.emulated'), undefined);
  t.is(host.beat().persistentBytes, 0);
  await host.order({ verb: 'release', keep: [] });
  await host.clock.runFor(10);
  t.deepEqual(host.beat().residents, []);
});

test('gpu-host: a model released while it is measured goes when that is over', async t => {
  const host = await openRig(t);
  await host.order({ verb: 'profile', model: DET.id, batchMax: 4 });
  await host.clock.runFor(70);
  await host.order({ verb: 'release', keep: [] });
  await host.clock.runFor(20);
  t.is(host.resident(DET.id)!.state, 'releasing');
  await host.clock.runFor(2000);
  t.deepEqual(host.beat().residents, []);
  t.truthy(await host.profile('det.000000000000.emulated'));
});

test('gpu-host: stops at once while a model is loaded for a measurement, and while it is measured', async t => {
  for (const afterMs of [5, 70]) {
    const host = await openRig(t);
    await host.order({ verb: 'profile', model: DET.id, batchMax: 4 });
    await host.clock.runFor(afterMs);
    t.is(host.beat().residents.length, 1);
    await host.clock.settle(host.running.stop(), 100);
    await host.clock.runFor(1);
    t.is(host.beat().state, 'left');
    t.is(await host.profile('det.000000000000.emulated'), undefined);
  }
});

test('gpu-host: a resident model serves while it is measured, and stays', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  await host.order({ verb: 'profile', model: DET.id, batchMax: 8 });
  await host.clock.runFor(20);
  host.grant('b1', { ids: [1] });
  await host.clock.runFor(60);
  t.is(host.said('b1')[1]!.is, 'output');
  await host.clock.runFor(10_000);
  t.truthy(await host.profile('det.000000000000.emulated'));
  t.is(host.resident(DET.id)!.state, 'resident');
});

test('gpu-host: leave finishes what was granted, refuses the rest, says left, ends', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.grant('b1', { ids: [1] });
  host.outline('b2', { ids: [2], latestInMs: 60 });
  await host.clock.runFor(2);
  t.true((await host.order({ verb: 'leave' }, { epoch: 2, nonce: 'x' })).accepted);
  await host.clock.runFor(1);
  t.is(host.beat().state, 'leaving');
  host.grant('b3', { ids: [3] });
  await host.clock.runFor(30);
  t.is(host.said('b1')[1]!.is, 'output');
  t.is(host.running.state.host!.state, 'leaving', 'b2 is still to come');
  host.payloads('b2', [2]);
  t.like(await host.order({ verb: 'prepare', models: [planned(REC.id)] }, { epoch: 2, nonce: 'x' }), {
    accepted: false,
    reason: 'leaving',
  });
  await host.clock.runFor(100);
  t.is(host.said('b2')[2]!.is, 'output');
  t.deepEqual(host.said('b3')[3], { is: 'refused', reason: 'leaving' });
  t.is(host.beat().state, 'left');
  t.like(host.ending(), { how: 'left' });
  await host.clock.settle(host.running.stop());
  t.is(host.beats.filter(b => b.state === 'left').length, 1);
});

test('gpu-host: asked to stop, it finishes what was granted', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.grant('b1', { ids: [1] });
  await host.clock.runFor(2);
  await host.clock.settle(host.running.stop());
  await host.clock.runFor(1);
  t.is(host.said('b1')[1]!.is, 'output');
  t.is(host.beat().state, 'left');
});

test('gpu-host: leaving is bounded (a run that does not end)', async t => {
  let hang = false;
  const device = withModels(model => ({ run: inputs => (hang ? new Promise(() => {}) : model.run(inputs)) }));
  const host = await openRig(t, { device, config: { leaveMsMax: 500 } });
  await host.prepare(DET.id);
  hang = true;
  host.grant('b1', { ids: [1] });
  host.grant('b2', { ids: [2] });
  await host.clock.runFor(2);
  await host.order({ verb: 'leave' });
  await host.clock.runFor(490);
  t.is(host.beat().state, 'leaving');
  await host.clock.runFor(20);
  for (const [batch, id] of [
    ['b1', 1],
    ['b2', 2],
  ] as const) {
    t.deepEqual(host.said(batch)[id], { is: 'refused', reason: 'leaving' });
    t.is(host.phases(batch).at(-1), 'refused');
  }
  t.is(host.beat().state, 'left');
});

test('gpu-host: a lost device (all that was granted is refused, the actor ends with the error)', async t => {
  let lose: (error: Error) => void = () => {};
  const lost = new Promise<Error>(resolve => (lose = resolve));
  const host = await openRig(t, { device: device => ({ ...device, lost }) });
  await host.prepare(DET.id);
  host.grant('b1', { ids: [1] });
  host.grant('b2', { ids: [2] });
  await host.clock.runFor(2);
  lose(new DeviceError('CUDA_ERROR_ECC_UNCORRECTABLE'));
  await host.clock.runFor(2);
  t.deepEqual(host.said('b1')[1], { is: 'refused', reason: 'device-lost' });
  t.deepEqual(host.said('b2')[2], { is: 'refused', reason: 'device-lost' });
  t.is(host.beat().state, 'failed');
  t.like(host.ending(), { how: 'crashed' });
  host.grant('b3', { ids: [3] });
  await host.clock.runFor(2500);
  t.deepEqual(host.said('b3')[3], { is: 'refused', reason: 'device-lost' });
  t.is(host.beats.filter(b => b.state === 'failed').length, 1, 'said once');
  t.is(host.answers.length, 3, 'the run that was under way says nothing more');
  await host.clock.settle(host.running.stop());
});

test('gpu-host: a run that finds the device gone ends the actor', async t => {
  let gone = false;
  const device = withModels(model => ({
    run: inputs => (gone ? Promise.reject(new DeviceError('the worker exited')) : model.run(inputs)),
  }));
  const host = await openRig(t, { device });
  await host.prepare(DET.id);
  gone = true;
  host.grant('b1', { ids: [1] });
  await host.clock.runFor(10);
  t.deepEqual(host.said('b1')[1], { is: 'refused', reason: 'device-lost' });
  t.like(host.ending(), { how: 'crashed' });
});

test('gpu-host: a payload that is still being prepared at the latest start is refused', async t => {
  const host = await openRig(t, {
    device: device => ({
      ...device,
      load: async (files, options) => {
        const model = await device.load(files, options);
        return {
          ...model,
          prepare: async payload => {
            if (payload.encoding === 'jpeg') await sleep(host.clock, 100);
            return model.prepare(payload);
          },
        };
      },
    }),
  });
  await host.prepare(DET.id);
  host.outline('b1', { ids: [1, 2], latestInMs: 30 });
  host.payloads('b1', [1], { payload: { encoding: 'jpeg', data: new Uint8Array(4) } });
  host.payloads('b1', [2], { payload: picture });
  await host.clock.runFor(31);
  t.deepEqual(host.said('b1')[1], { is: 'refused', reason: 'overloaded' });
  await host.clock.runFor(200);
  t.is(host.said('b1')[2]!.is, 'output');
  t.is(host.running.state.host!.serving.heldBytes, 0);
});

test('gpu-host: says how it is each second, and at once when something changes', async t => {
  const host = await openRig(t);
  await host.clock.runFor(3500);
  t.is(host.beats.length, 4);
  const first = host.beats.at(-1)!.incarnation;
  t.regex(first, /^\w{10}$/);
  await host.prepare(DET.id);
  const states = host.beats.flatMap(b => b.residents.map(r => r.state));
  t.deepEqual([...new Set(states)], ['fetching', 'loading', 'warming', 'resident']);
});
