import test from 'ava';
import { placeholderPixels, simulatedPorts, type OpenSource, type Shot } from '../../actors/stream-sampler/index.ts';
import { decode } from '../../bus/index.ts';
import { framesJournal, frameReader, InputError, SourceError, type Frame } from '../../contracts/index.ts';
import { simulatedWorld, synthetic } from './world.ts';

const JPEG = Uint8Array.of(0xff, 0xd8, 0xff, 9);

/** A camera with a plug and a shutter. */
function camera() {
  const state = { plugged: true, silent: false, opened: [] as number[], open: 0 };
  const openSource: OpenSource = async (_document, { timers }) => {
    state.opened.push(timers.nowMs());
    if (!state.plugged) throw new SourceError('connection refused');
    state.open++;
    let giveUp: () => void = () => {};
    return {
      pace: 'sampler',
      missed: 0,
      next: () =>
        new Promise<Shot | undefined>((resolve, reject) => {
          giveUp = () => resolve(undefined);
          if (!state.plugged) reject(new SourceError('connection lost'));
          if (!state.silent)
            resolve({ picture: { encoding: 'jpeg', data: JPEG }, takenMs: timers.nowMs(), sound: true });
        }),
      close: async () => {
        state.open--;
        giveUp();
      },
    };
  };
  return { state, ports: { pixels: placeholderPixels, openSource } };
}

test('failures: a source that breaks is reopened with growing waits, is dead after a while, and comes back', async t => {
  const world = simulatedWorld(t);
  const { state, ports } = camera();
  await world.apply(synthetic('cam', 5, { deadAfterMs: 5000 }));
  await world.sampler('s1', ports);
  await world.clock.runFor(10_000);
  t.deepEqual(world.newsOf('cam'), ['live']);

  state.plugged = false;
  const brokeMs = world.clock.nowMs();
  await world.clock.runFor(120_000);
  t.deepEqual(world.newsOf('cam'), ['live', 'dead'], 'told once');
  t.regex(world.news.at(-1)!.message.detail, /connection/);
  const attempts = state.opened.filter(atMs => atMs > brokeMs);
  const waits = attempts.slice(1).map((atMs, i) => atMs - attempts[i]!);
  t.true(attempts.length >= 7 && attempts.length <= 16, `${attempts.length} attempts in two minutes`);
  t.true(Math.max(...waits) <= 30_000 && Math.max(...waits) >= 15_000);
  t.true(waits[0]! < 1000);
  t.is(world.reportOf('s1', 'cam')?.state, 'dead');

  state.plugged = true;
  await world.clock.runFor(31_000);
  t.deepEqual(world.newsOf('cam'), ['live', 'dead', 'live']);
  t.true(world.reportOf('s1', 'cam')!.reopened >= 7);
  t.is(state.open, 1);
});

test('failures: a source that can not be opened at first is dead at once, with the reason', async t => {
  const world = simulatedWorld(t);
  const { state, ports } = camera();
  state.plugged = false;
  await world.apply(synthetic('cam', 5));
  await world.sampler('s1', ports);
  await world.clock.runFor(2500);
  t.deepEqual(world.newsOf('cam'), ['dead']);
  t.is(world.news[0]!.message.detail, 'connection refused');
  t.regex(world.reportOf('s1', 'cam')!.detail!, /connection refused/);
});

test('failures: a source that falls silent is dead after deadAfterMs and opened again', async t => {
  const world = simulatedWorld(t);
  const { state, ports } = camera();
  await world.apply(synthetic('cam', 5, { deadAfterMs: 3000 }));
  await world.sampler('s1', ports);
  await world.clock.runFor(5000);
  state.silent = true;
  const silentMs = world.clock.nowMs();
  await world.clock.runFor(20_000);
  const dead = world.news.find(({ message }) => message.state === 'dead')!;
  t.true(Math.abs(dead.atMs - silentMs - 3000) <= 200, `after ${dead.atMs - silentMs} ms`);
  t.true(state.opened.length >= 3);
  t.true(state.open <= 1, 'what was silent was closed');

  state.silent = false;
  await world.clock.runFor(10_000);
  t.deepEqual(world.newsOf('cam'), ['live', 'dead', 'live']);
});

test('failures: silence between the instants of a slow stream is no sign of death', async t => {
  const world = simulatedWorld(t);
  const { ports } = camera();
  await world.apply(synthetic('slow', 0.05, { deadAfterMs: 3000 }));
  await world.sampler('s1', ports);
  await world.clock.runFor(200_000);
  t.deepEqual(world.newsOf('slow'), ['live']);
  t.is(world.of('slow').length, 10);
});

test('failures: a broadcast that ended stays ended, also when the sampler that read it goes', async t => {
  const world = simulatedWorld(t);
  const ports = simulatedPorts({ bytes: 200 });
  const document = synthetic('short', 5, { source: { kind: 'synthetic', durationS: 4 } });
  await world.apply(document);
  const first = await world.sampler('s1', ports);
  await world.clock.runFor(8000);
  t.deepEqual(world.newsOf('short'), ['live', 'ended']);
  t.true(Math.abs(world.of('short').length - 20) <= 1);

  await world.sampler('s2', ports);
  await world.clock.runFor(5000);
  first.kill();
  await world.clock.runFor(10_000);
  t.deepEqual(world.newsOf('short'), ['live', 'ended']);

  await world.apply({ ...document, rateHz: 6 });
  await world.clock.runFor(3000);
  t.deepEqual(world.newsOf('short'), ['live', 'ended', 'live'], 'a changed document begins anew');
});

test('failures: removing a stream while its source is being opened leaves nothing open', async t => {
  const world = simulatedWorld(t);
  let open = 0;
  const slowToOpen: OpenSource = async (_document, { timers }) => {
    await new Promise<void>(resolve => void timers.after(2000, resolve));
    open++;
    return {
      pace: 'sampler',
      missed: 0,
      next: async () => ({ picture: { encoding: 'jpeg', data: JPEG }, takenMs: timers.nowMs(), sound: true }),
      close: async () => void open--,
    };
  };
  await world.sampler('s1', { pixels: placeholderPixels, openSource: slowToOpen });
  await world.clock.runFor(2000);
  await world.apply(synthetic('cam', 5));
  await world.clock.runFor(500);
  await world.remove('cam');
  await world.clock.runFor(5000);
  t.is(open, 0);
  t.is(world.of('cam').length, 0);
});

test('failures: the sampler starts without storage and begins when it comes', async t => {
  const world = simulatedWorld(t);
  await world.apply(synthetic('game', 5));
  world.network.storageAvailable = false;
  await world.sampler('s1');
  await world.clock.runFor(5000);
  t.is(world.frames.length, 0);
  world.network.storageAvailable = true;
  await world.clock.runFor(3000);
  t.true(world.of('game').length > 5);
  t.is(world.logged.filter(line => line.includes('can not be read yet')).length, 1);
});

test('failures: a run of broken pictures is no silence, the source is read on to the good ones', async t => {
  const world = simulatedWorld(t);
  let opened = 0;
  const mostlyBroken: OpenSource = async (_document, { timers }) => {
    opened++;
    let index = 0;
    return {
      pace: 'sampler',
      missed: 0,
      next: async () => {
        if (index++ < 30) throw new InputError(`p${index}.jpg is truncated`);
        return { picture: { encoding: 'jpeg', data: JPEG }, takenMs: timers.nowMs(), sound: true };
      },
      close: async () => {},
    };
  };
  await world.apply(synthetic('archive', 1, { deadAfterMs: 5000 }));
  await world.sampler('s1', { pixels: placeholderPixels, openSource: mostlyBroken });
  await world.clock.runFor(40_000);
  t.is(opened, 1);
  t.deepEqual(world.newsOf('archive'), ['live']);
  t.is(world.reportOf('s1', 'archive')?.broken, 30);
  t.true(world.of('archive').length >= 6);
});

test('failures: frames of a durable stream wait until they are stored, none is lost and none twice', async t => {
  const world = simulatedWorld(t);
  const { state, ports } = camera();
  await world.apply(synthetic('cam', 5, { durable: true, deadAfterMs: 3000 }));
  const { name, settings } = framesJournal('ganglion', 'default', ['ganglion.frames.default.cam']);
  const journal = await world.watcher.journal(name, settings);
  const stored: number[] = [];
  await journal.read(frameReader('query', settings.subjects, 100), entry => {
    stored.push((decode(entry.data) as Frame).seq);
    entry.ack();
  });
  await world.sampler('s1', ports);
  await world.clock.runFor(3000);
  world.network.storageAvailable = false;
  await world.clock.runFor(20_000);
  t.deepEqual(world.newsOf('cam'), ['live'], 'the source is well');
  t.true(world.logged.some(line => line.startsWith('a frame waits to be stored')));
  world.network.storageAvailable = true;
  await world.clock.runFor(3000);
  const report = world.reportOf('s1', 'cam')!;
  t.is(report.unsent, 0);
  t.is(stored.length, report.published);
  t.is(new Set(stored).size, stored.length);
  t.true(stored.length >= 20 && (report.missed ?? 0) > 80, JSON.stringify(report));
  t.is(state.opened.length, 1);
});
