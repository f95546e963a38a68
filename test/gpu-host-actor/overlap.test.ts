import test, { type ExecutionContext } from 'ava';
import { sleep } from '../../contracts/index.ts';
import { brokenPicture, DET, openRig, withModels } from './rig.ts';

/** Decoding takes 30 ms, a run of two inputs 14 ms. */
const PREPARE_MS = 30;
const RUN_MS = 14;

const openSlowDecoder = (t: ExecutionContext, config: object) => {
  const host = openRig(t, {
    config,
    device: withModels(model => ({
      prepare: async payload => {
        await sleep((await host).clock, PREPARE_MS);
        return model.prepare(payload);
      },
    })),
  });
  return host;
};

test('gpu-host: a batch is prepared while the one before it runs (overlap)', async t => {
  const host = await openSlowDecoder(t, {});
  await host.prepare(DET.id);
  const grantedMs = host.clock.nowMs();
  host.grant('b1', { ids: [1, 2], expectedMs: RUN_MS });
  host.grant('b2', { ids: [3, 4], expectedMs: RUN_MS });
  await host.clock.runFor(200);
  const [first, second] = host.answers;
  t.is(Math.round(first!.atMs - grantedMs), PREPARE_MS + RUN_MS);
  t.is(Math.round(second!.atMs - grantedMs), PREPARE_MS + 2 * RUN_MS);
  t.is(second!.runMs, RUN_MS);
});

test('gpu-host: without overlap the device waits while a batch is prepared', async t => {
  const host = await openSlowDecoder(t, { overlap: false });
  await host.prepare(DET.id);
  const grantedMs = host.clock.nowMs();
  host.grant('b1', { ids: [1, 2], expectedMs: RUN_MS });
  host.grant('b2', { ids: [3, 4], expectedMs: RUN_MS });
  await host.clock.runFor(200);
  const [first, second] = host.answers;
  t.is(Math.round(first!.atMs - grantedMs), PREPARE_MS + RUN_MS);
  t.is(Math.round(second!.atMs - grantedMs), 2 * (PREPARE_MS + RUN_MS));
  t.is(Math.round(second!.runMs), PREPARE_MS + RUN_MS, 'the device is not free meanwhile');
});

test('gpu-host: without overlap a picture that can not be read fails alone', async t => {
  const host = await openRig(t, { config: { overlap: false } });
  await host.prepare(DET.id);
  host.outline('b1', { ids: [1, 2] });
  host.payloads('b1', [1], { payload: brokenPicture });
  host.payloads('b1', [2]);
  await host.clock.runFor(100);
  t.like(host.said('b1'), { 1: { is: 'failed', reason: 'input' }, 2: { is: 'output' } });
});
