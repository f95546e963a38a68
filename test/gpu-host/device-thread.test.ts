import test from 'ava';
import { realClock } from '../../bus/clocks/index.ts';
import { DeviceError } from '../../contracts/index.ts';
import { startThread } from '../../gpu-host/onnx/thread.ts';
import type { TestFunctions } from './device-thread-worker.ts';

const start = (hangMs = 60_000) =>
  startThread<TestFunctions>(new URL('./device-thread-worker.js', import.meta.url), {
    name: 'device',
    clock: realClock,
    hangMs,
  });

test('device thread: answers calls, finishes them before it exits, and refuses afterwards', async t => {
  const thread = start();
  t.is(await thread.call('double', 21), 42);
  const last = thread.call('double', 4);
  await thread.exit();
  t.is(await last, 8);
  await t.throwsAsync(thread.call('double', 1), { instanceOf: DeviceError });
});

test('device thread: a crash rejects what is pending and tells that the device is lost', async t => {
  const thread = start();
  const behind = [thread.call('hang', 50), thread.call('crash', null), thread.call('hang', 50)];
  const results = await Promise.allSettled(behind);
  t.is(results[2]?.status, 'rejected');
  t.regex((await thread.lost).message, /device crashed: out of luck/);
  await t.throwsAsync(thread.call('double', 1), { instanceOf: DeviceError, message: /crashed/ });
});

test('device thread: one that falls silent with work to do is lost, nobody terminates it', async t => {
  const thread = start(150);
  await t.throwsAsync(thread.call('hang', 1500), { instanceOf: DeviceError, message: /not answered for 150 ms/ });
  t.true((await thread.lost) instanceof DeviceError);
});

test('device thread: one that ends by itself is lost', async t => {
  const thread = start();
  await thread.call('leave', null).catch(() => {}); // its answer may get lost with it
  t.regex((await thread.lost).message, /ended by itself/);
});
