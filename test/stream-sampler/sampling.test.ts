import test from 'ava';
import {
  frameTimeOf,
  placeholderPixels,
  RateGate,
  simulatedPorts,
  truthOfFrame,
} from '../../actors/stream-sampler/index.ts';
import type { OpenSource } from '../../actors/stream-sampler/index.ts';
import { encodeJson } from '../../bus/index.ts';
import { simulatedWorld, synthetic } from './world.ts';

const readTexts = (jpeg: Uint8Array): Record<string, string> => {
  const text = new TextDecoder().decode(jpeg.subarray(6));
  return JSON.parse(text.slice(0, text.indexOf('}') + 1)) as Record<string, string>;
};

test('sampling: a stream is published at its rate, without drift', async t => {
  const world = simulatedWorld(t);
  await world.apply(synthetic('game', 3));
  await world.sampler('s1');
  await world.clock.runFor(62_000);

  const frames = world.of('game');
  t.true(Math.abs(frames.length - 3 * 60.5) <= 2, `${frames.length} frames in 60.5 s`);
  const first = frames[0]!;
  const last = frames.at(-1)!;
  t.is(last.message.seq - first.message.seq, frames.length - 1, 'no gaps');
  t.true(Math.abs(last.atMs - first.atMs - ((frames.length - 1) * 1000) / 3) < 0.001, 'the grid has not moved');
});

test('sampling: what a frame shows follows from its number and the document alone', async t => {
  const world = simulatedWorld(t);
  const document = synthetic('game', 2.5);
  await world.apply(document);
  await world.sampler('s1');
  await world.clock.runFor(20_000);

  t.true(world.of('game').length > 30);
  for (const { message } of world.of('game')) {
    const truth = truthOfFrame(document, message.seq)!;
    t.is(message.meta?.['t'], frameTimeOf(document, message.seq));
    t.like(readTexts(message.picture.data), {
      clock: truth.clock,
      home: truth.home,
      homeScore: String(truth.homeScore),
    });
  }
  t.is(truthOfFrame({ ...document, source: { kind: 'folder', path: '/x' } }, 1), undefined);
});

test('sampling: frames are missed, not queued, when a source is slower than the rate', async t => {
  const world = simulatedWorld(t);
  const slow: OpenSource = async (_document, { timers }) => ({
    pace: 'sampler',
    missed: 0,
    next: () =>
      new Promise(resolve => {
        const picture = { encoding: 'jpeg' as const, data: Uint8Array.of(0xff, 0xd8, 0xff, 1) };
        timers.after(250, () => resolve({ picture, takenMs: timers.nowMs(), sound: true }));
      }),
    close: async () => {},
  });
  await world.apply(synthetic('slow', 10));
  await world.sampler('s1', { pixels: placeholderPixels, openSource: slow });
  await world.clock.runFor(11_500);

  const frames = world.of('slow');
  t.true(frames.length >= 31 && frames.length <= 35, `${frames.length}: every third instant of 100`);
  t.true(
    frames.every(({ message }) => message.ageMs! < 1),
    'each is fresh',
  );
  const { missed = 0, sampled } = world.reportOf('s1', 'slow')!;
  t.true(missed >= 2 * (sampled - 2), `${missed} missed`);
});

test('sampling: streams are added, changed and removed while the sampler runs', async t => {
  const world = simulatedWorld(t);
  await world.sampler('s1');
  await world.clock.runFor(2000);
  t.is(world.frames.length, 0);

  await world.apply(synthetic('a', 5));
  await world.apply(synthetic('b', 5));
  await world.clock.runFor(2000);
  t.deepEqual([world.of('a').length, world.of('b').length], [10, 10]);

  const before = world.of('a').length;
  await world.apply(synthetic('a', 1));
  await world.clock.runFor(10_000);
  t.true(Math.abs(world.of('a').length - before - 10) <= 1, 'the new rate holds');

  await world.remove('b');
  await world.clock.runFor(100);
  const ofB = world.of('b').length;
  await world.clock.runFor(3000);
  t.is(world.of('b').length, ofB);
  t.deepEqual(world.newsOf('b'), ['live', 'removed']);
  t.is(world.reportOf('s1', 'b'), undefined);
  t.truthy(world.reportOf('s1', 'a'));
});

test('sampling: a document that is none is told, what ran before goes on', async t => {
  const world = simulatedWorld(t);
  await world.apply(synthetic('a', 5));
  await world.sampler('s1');
  await world.clock.runFor(3000);
  await world.put('streams.default.a', encodeJson({ ...synthetic('a', 5), rateHz: 0 }));
  await world.put('streams.default.odd', Uint8Array.of(1, 2, 3));
  const before = world.of('a').length;
  await world.clock.runFor(2000);
  t.is(world.of('a').length - before, 10);
  t.true(world.logged.some(line => line.includes('streams.default.a') && line.includes('rateHz')));
  t.true(world.logged.some(line => line.includes('streams.default.odd')));
});

test('sampling: unchanged pictures are skipped, one is sent at least each keepAliveMs', async t => {
  const world = simulatedWorld(t);
  const still: OpenSource = async (_document, { timers }) => ({
    pace: 'sampler',
    missed: 0,
    next: async () => ({
      picture: { encoding: 'jpeg', data: Uint8Array.of(0xff, 0xd8, 0xff, 7) },
      takenMs: timers.nowMs(),
      sound: true,
    }),
    close: async () => {},
  });
  await world.apply(synthetic('still', 10, { skipUnchanged: { keepAliveMs: 1000 } }));
  await world.sampler('s1', { pixels: placeholderPixels, openSource: still });
  await world.clock.runFor(21_500);
  const { sampled, skipped, published } = world.reportOf('s1', 'still')!;
  t.is(sampled, skipped + published);
  t.true(published >= 19 && published <= 21, `${published} in 20 s`);
});

test('sampling: frames while the bus is away are counted as unsent, and none comes late', async t => {
  const world = simulatedWorld(t);
  await world.apply(synthetic('game', 5));
  await world.sampler('s1');
  await world.clock.runFor(3000);
  world.network.disconnect('s1');
  const before = world.of('game').length;
  await world.clock.runFor(4000);
  t.is(world.of('game').length, before);
  world.network.reconnect('s1');
  await world.clock.runFor(2000);

  t.is(world.of('game').length - before, 10);
  t.is(world.reportOf('s1', 'game')?.unsent, 20);
  const seqs = world.of('game').map(({ message }) => message.seq);
  t.is(seqs.at(-1)! - seqs[0]! + 1, seqs.length + 20, 'the numbers show the gap');
});

test('sampling: placeholder pictures have about the size that was asked for', async t => {
  const world = simulatedWorld(t);
  await world.apply(synthetic('game', 5));
  await world.sampler('s1', simulatedPorts({ bytes: 30_000 }));
  await world.clock.runFor(5000);
  for (const { message } of world.of('game')) {
    t.true(message.picture.data.length > 26_000 && message.picture.data.length < 34_000);
  }
});

test('sampling: a rate gate thins out at the rate, and a source of the same rate with jitter loses nothing', t => {
  const fast = new RateGate(10);
  let admitted = 0;
  for (let ms = 0; ms < 10_000; ms += 7) if (fast.admits(ms)) admitted++;
  t.true(Math.abs(admitted - 100) <= 1, `${admitted}`);

  const same = new RateGate(10);
  for (let i = 0; i < 100; i++) t.true(same.admits(i * 100 + (i % 2 === 0 ? 20 : -2)), `picture ${i}`);

  const slower = new RateGate(10);
  for (let i = 0; i < 100; i++) t.true(slower.admits(i * 130), `picture ${i}`);
});

test('sampling: a simulated run replays exactly', async t => {
  const run = async () => {
    const world = simulatedWorld(t);
    for (let i = 0; i < 5; i++) await world.apply(synthetic(`cam${i}`, 3, { skipUnchanged: {} }));
    await world.sampler('s1');
    const second = await world.sampler('s2');
    await world.clock.runFor(6000);
    second.kill();
    await world.clock.runFor(6000);
    return { frames: world.frames, news: world.news };
  };
  const first = await run();
  t.true(first.frames.length > 50);
  t.deepEqual(await run(), first);
});
