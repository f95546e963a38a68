import test from 'ava';
import { ModelError } from '../../contracts/index.ts';
import { brokenPicture, DET, openRig, REC, withModels } from './rig.ts';

test('gpu-host: a batch runs and is answered (timing says where the time went)', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.outline('b1', { ids: [1, 2], startInMs: 5, expectedMs: 14 });
  await host.clock.runFor(3);
  host.payloads('b1', [1]);
  await host.clock.runFor(4);
  host.payloads('b1', [2]);
  await host.clock.runFor(100);
  t.is(host.answers.length, 1, 'one message per router and batch');
  const [answers] = host.answers;
  t.like(answers, { router: 'router-1', host: 'gpu-a', batch: 'b1', emulated: true, size: 2, ids: [1, 2] });
  t.deepEqual(
    answers!.answers.map(a => a.is),
    ['output', 'output'],
  );
  t.deepEqual(answers!.transferMs.map(Math.round), [3, 7]);
  t.deepEqual(answers!.waitMs.map(Math.round), [4, 0]);
  t.is(answers!.runMs, 14);
  t.true(answers!.sinceRunMs < 0.001);
  t.deepEqual(host.phases('b1'), ['started', 'finished']);
  t.like(host.progress[0], { size: 2, runMs: 0, freeInMs: 14, backlog: 1 });
  t.is(Math.round(host.progress[0]!.fillMs), 7);
  t.like(host.progress[1], { size: 2, runMs: 14, freeInMs: 0, backlog: 0 });
});

test('gpu-host: payloads before their outline are held, then run', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.payloads('b1', [1, 2]);
  await host.clock.runFor(100);
  t.is(host.answers.length, 0);
  host.outline('b1', { ids: [1, 2] });
  await host.clock.runFor(50);
  t.like(host.said('b1'), { 1: { is: 'output' }, 2: { is: 'output' } });
});

test('gpu-host: payloads whose outline never comes are refused when their hold ends, and need no memory then', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.payloads('b1', [1]);
  await host.clock.runFor(1990);
  t.is(host.answers.length, 0);
  t.true(host.running.state.host!.serving.heldBytes > 0);
  await host.clock.runFor(20);
  t.deepEqual(host.said('b1'), { 1: { is: 'refused', reason: 'overloaded' } });
  t.is(host.running.state.host!.serving.heldBytes, 0);
});

test('gpu-host: a payload that is missing at the latest start is not waited for, and refused when it comes', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.outline('b1', { ids: [1, 2], latestInMs: 30 });
  host.payloads('b1', [1]);
  await host.clock.runFor(29);
  t.deepEqual(host.phases('b1'), []);
  await host.clock.runFor(40);
  t.deepEqual(host.phases('b1'), ['started', 'finished']);
  t.is(host.answers[0]!.size, 1);
  t.deepEqual(Object.keys(host.said('b1')), ['1']);
  host.payloads('b1', [2]);
  host.payloads('b1', [2]);
  await host.clock.runFor(1);
  t.deepEqual(host.said('b1')[2], { is: 'refused', reason: 'overloaded' });
  t.is(host.answers.length, 2, 'said once');
  t.is(host.answers[1]!.model[0], DET.id);
});

test('gpu-host: a payload that comes while its batch runs without it is refused at once', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.outline('b1', { ids: [1, 2], latestInMs: 10 });
  host.payloads('b1', [1]);
  await host.clock.runFor(15);
  t.deepEqual(host.phases('b1'), ['started']);
  host.payloads('b1', [2]);
  await host.clock.runFor(1);
  t.deepEqual(host.said('b1'), { 2: { is: 'refused', reason: 'overloaded' } });
  await host.clock.runFor(50);
  t.is(host.said('b1')[1]!.is, 'output');
});

test('gpu-host: what a router does not hold any more is not waited for', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.outline('b1', { ids: [1, 2, 3], latestInMs: 1000, budgetMs: 2000 });
  host.payloads('b1', [2], { absent: [1, 3] });
  await host.clock.runFor(50);
  t.deepEqual(Object.keys(host.said('b1')), ['2']);
  host.outline('b2', { ids: [4], latestInMs: 1000 });
  host.payloads('b2', [], { absent: [4] });
  await host.clock.runFor(50);
  t.deepEqual(host.phases('b2'), ['finished'], 'nothing left to run');
  t.like(host.progress.at(-1), { size: 0, runMs: 0, backlog: 0 });
});

test('gpu-host: what can not be in time is dropped before it costs device time', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.grant('long', { ids: [1, 2, 3, 4], expectedMs: 18 });
  host.grant('b1', { ids: [5, 6], budgetMs: [25, 100], latestInMs: 80, expectedMs: 14 });
  await host.clock.runFor(20);
  t.deepEqual(host.said('b1')[5], { is: 'dropped', reason: 'deadline' }, 'said at the start, not after the run');
  await host.clock.runFor(100);
  t.is(host.said('b1')[6]!.is, 'output');
  t.is(host.progress.at(-1)!.size, 1);
  t.is(host.beat().dropped, 0, 'until the next beat');
  await host.clock.runFor(1000);
  t.like(host.beat(), { dropped: 1, batches: 2, invocations: 5, busyMs: 18 + 12, backlog: 0, freeInMs: 0 });
});

test('gpu-host: an input that can not be used fails alone', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.outline('b1', { ids: [1, 2] });
  host.payloads('b1', [1], { payload: brokenPicture });
  host.payloads('b1', [2]);
  await host.clock.runFor(50);
  t.like(host.said('b1')[1], { is: 'failed', reason: 'input' });
  t.regex((host.said('b1')[1] as { detail: string }).detail, /2×2/);
  t.is(host.said('b1')[2]!.is, 'output');
});

test('gpu-host: a run that fails fails all of it, the next batch runs', async t => {
  let runs = 0;
  const device = withModels(model => ({
    run: inputs => {
      // Two runs warm the model up.
      if (++runs === 3) return Promise.reject(new ModelError(model.id, 'CUDNN_STATUS_BAD_PARAM'));
      return model.run(inputs);
    },
  }));
  const host = await openRig(t, { device });
  await host.prepare(DET.id);
  host.grant('b1', { ids: [1, 2] });
  host.grant('b2', { ids: [3] });
  await host.clock.runFor(100);
  for (const id of [1, 2]) t.like(host.said('b1')[id], { is: 'failed', reason: 'model' });
  t.is(host.said('b2')[3]!.is, 'output');
  t.deepEqual(host.phases('b1'), ['started', 'finished']);
});

test('gpu-host: one output that fails leaves the others', async t => {
  const device = withModels(model => ({
    run: async inputs => {
      const { runMs, outputs } = await model.run(inputs);
      return { runMs, outputs: outputs.map((o, i) => (i === 1 ? new Error('postprocess: no such label') : o)) };
    },
  }));
  const host = await openRig(t, { device });
  await host.prepare(DET.id);
  host.grant('b1', { ids: [1, 2, 3] });
  await host.clock.runFor(100);
  t.deepEqual(
    Object.values(host.said('b1')).map(a => a.is),
    ['output', 'failed', 'output'],
  );
});

test('gpu-host: a batch for a model that is not resident is refused whole', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.outline('b1', { ids: [1, 2], model: REC.id, routers: ['router-1', 'router-2'] });
  host.payloads('b1', [1]);
  await host.clock.runFor(10);
  t.deepEqual(host.answers.map(a => a.router).sort(), ['router-1', 'router-2']);
  for (const { answers } of host.answers) t.deepEqual(answers, [{ is: 'refused', reason: 'not-resident' }]);
  t.deepEqual(host.phases('b1'), ['refused']);
  t.is(host.progress[0]!.size, 2);
});

test('gpu-host: the next batch starts as soon as the device is free, in the order of the outlines', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  for (const [i, batch] of ['b1', 'b2', 'b3'].entries()) host.grant(batch, { ids: [i], expectedMs: 12 });
  await host.clock.runFor(100);
  const marks = host.progress.map(p => `${p.batch} ${p.phase}`);
  t.deepEqual(marks, ['b1 started', 'b1 finished', 'b2 started', 'b2 finished', 'b3 started', 'b3 finished']);
  const at = host.progress.map(p => p.atMs - host.progress[0]!.atMs);
  t.deepEqual(at.map(Math.round), [0, 12, 12, 24, 24, 36], 'no gap');
  t.is(host.progress[2]!.freeInMs, 24);
});

test('gpu-host: the next batch is handed over just before the device is free, not earlier', async t => {
  const calledMs: number[] = [];
  const device = withModels(model => ({
    run: inputs => {
      calledMs.push(host.clock.nowMs());
      return model.run(inputs);
    },
  }));
  const host = await openRig(t, { device, config: { handOverMs: 2 } });
  await host.prepare(DET.id);
  calledMs.length = 0;
  for (const [i, batch] of ['b1', 'b2', 'b3'].entries()) host.grant(batch, { ids: [i], expectedMs: 12 });
  await host.clock.runFor(100);
  t.deepEqual(
    calledMs.map(ms => Math.round(ms - calledMs[0]!)),
    [0, 10, 22],
  );
  t.deepEqual(
    host.answers.map(a => Math.round(a.waitMs[0]!)),
    [0, 12, 24],
    'until the device began with it',
  );
});

test('gpu-host: a batch beyond what memory was planned for runs in parts', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.grant('b1', { ids: [1, 2, 3, 4, 5, 6] });
  await host.clock.runFor(100);
  t.like(host.answers[0], { size: 6, ids: [1, 2, 3, 4, 5, 6], runMs: 18 + 14 });
});

test('gpu-host: a ready batch does not wait behind one whose payloads are under way', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.outline('b1', { ids: [1], latestInMs: 100, expectedMs: 12 });
  host.grant('b2', { ids: [2], latestInMs: 100, expectedMs: 12 });
  await host.clock.runFor(5);
  host.payloads('b1', [1]);
  await host.clock.runFor(50);
  t.deepEqual(
    host.progress.map(p => p.batch),
    ['b2', 'b2', 'b1', 'b1'],
  );
});

test('gpu-host: a second outline of a batch changes nothing (under way, and after it ended)', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.grant('b1', { ids: [1] });
  host.outline('b1', { ids: [1] });
  await host.clock.runFor(50);
  host.grant('b1', { ids: [1] });
  await host.clock.runFor(500);
  t.is(host.answers.length, 1);
  t.deepEqual(host.phases('b1'), ['started', 'finished']);
  t.like(host.running.state.host!.serving.counts, { duplicateOutlines: 2, uselessPayloads: 1 });
});

test('gpu-host: answers of two routers go to each of them', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.outline('b1', { ids: [7, 7, 8], routers: ['router-1', 'router-2'] });
  host.payloads('b1', [7, 8]);
  host.payloads('b1', [7], { router: 'router-2' });
  await host.clock.runFor(50);
  const got = host.answers.map(a => `${a.router}: ${a.ids.join()} of ${a.size}`);
  t.deepEqual(got.sort(), ['router-1: 7,8 of 3', 'router-2: 7 of 3']);
});

test('gpu-host: a batch of two models runs each, and is one batch to the others', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id, REC.id);
  host.grant('b1', { ids: [1, 2, 3], models: [DET.id, REC.id] });
  await host.clock.runFor(100);
  t.deepEqual(host.answers[0]!.model, [DET.id, REC.id, DET.id]);
  t.is(host.answers[0]!.runMs, 14 + 5);
  t.deepEqual(host.phases('b1'), ['started', 'finished']);
});

test('gpu-host: answers are split below what the bus carries; an output that is too large says so', async t => {
  const sizes = [3000, 3000, 3000, 9000];
  const device = withModels(model => ({
    run: async inputs => {
      const { runMs } = await model.run(inputs);
      return { runMs, outputs: inputs.map((_, i) => ({ kind: 'custom', value: 'x'.repeat(sizes[i]!) })) };
    },
  }));
  const host = await openRig(t, { device, maxPayloadBytes: 8192 });
  await host.prepare(DET.id);
  host.grant('b1', { ids: [1, 2, 3, 4] });
  await host.clock.runFor(50);
  t.true(host.answers.length > 1);
  t.deepEqual(
    Object.values(host.said('b1')).map(a => a.is),
    ['output', 'output', 'output', 'failed'],
  );
  t.regex((host.said('b1')[4] as { detail: string }).detail, /max_payload/);
  for (const { size } of host.answers) t.is(size, 4);
});

test('gpu-host: bounds are kept (batches queued)', async t => {
  const host = await openRig(t, { config: { batchesMax: 2 } });
  await host.prepare(DET.id);
  for (const [i, batch] of ['b1', 'b2', 'b3'].entries()) host.grant(batch, { ids: [i] });
  await host.clock.runFor(100);
  t.is(host.said('b1')[0]!.is, 'output');
  t.is(host.said('b2')[1]!.is, 'output');
  t.deepEqual(host.said('b3')[2], { is: 'refused', reason: 'overloaded' });
  t.deepEqual(host.phases('b3'), ['refused']);
});

test('gpu-host: bounds are kept (bytes held, with and without an outline)', async t => {
  const host = await openRig(t, { config: { heldBytesMax: 30, earlyBytesMax: 100 } });
  await host.prepare(DET.id);
  host.outline('b1', { ids: [1, 2, 3] });
  host.payloads('b1', [1, 2, 3]);
  host.payloads('b9', [9]);
  await host.clock.runFor(50);
  t.deepEqual(
    Object.values(host.said('b1')).map(a => a.is),
    ['output', 'output', 'refused'],
  );
  t.deepEqual(host.said('b9')[9], { is: 'refused', reason: 'overloaded' });
  t.is(host.running.state.host!.serving.heldBytes, 0);
});

test('gpu-host: a malformed outline is counted and harms nothing', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.outline('b1', { ids: [1, 2], budgetMs: [1] });
  host.outline('b2', { ids: [1], routers: ['no such.name'] });
  host.outline('b3', { ids: [1, 1] });
  host.payloads('b4', [1, 2], { payloads: [] });
  host.grant('b5', { ids: [1] });
  await host.clock.runFor(50);
  t.is(host.said('b5')[1]!.is, 'output');
  t.deepEqual(
    host.answers.map(a => a.batch),
    ['b5'],
  );
});

test('gpu-host: the bus goes and comes back: lost messages are counted, a beat follows at once, batches run on', async t => {
  const host = await openRig(t);
  await host.prepare(DET.id);
  host.grant('b1', { ids: [1] });
  await host.clock.runFor(5);
  host.network.disconnect('gpu-a');
  await host.clock.runFor(500);
  t.deepEqual(host.said('b1'), {});
  t.true(host.running.state.host!.unsent >= 2);
  const before = host.beats.length;
  host.network.reconnect('gpu-a');
  await host.clock.runFor(1);
  t.is(host.beats.length, before + 1);
  host.grant('b2', { ids: [2] });
  await host.clock.runFor(50);
  t.is(host.said('b2')[2]!.is, 'output');
});

test('gpu-host: the same seed gives the same trace', async t => {
  const trace = async () => {
    const jittery = { ...DET, document: { ...DET.document, emulation: { ...DET.document.emulation!, jitter: 0.2 } } };
    const host = await openRig(t, { models: [jittery] });
    await host.prepare(DET.id);
    for (let i = 0; i < 40; i++) {
      host.outline(`b${i}`, { ids: [2 * i, 2 * i + 1], budgetMs: 60, latestInMs: 40, expectedMs: 14 });
      host.payloads(`b${i}`, i % 5 === 0 ? [2 * i] : [2 * i, 2 * i + 1]);
      await host.clock.runFor(11);
    }
    await host.clock.runFor(2000);
    return host.trace;
  };
  const first = await trace();
  t.true(first.length > 100);
  t.deepEqual(await trace(), first);
});
