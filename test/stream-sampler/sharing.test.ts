import test from 'ava';
import { readerOf } from '../../actors/stream-sampler/index.ts';
import type { SamplerBeat } from '../../contracts/index.ts';
import { simulatedWorld, synthetic } from './world.ts';

const STREAMS = Array.from({ length: 12 }, (_, i) => `cam${i}`);
const names = (beat: SamplerBeat | undefined): string[] => (beat?.streams ?? []).map(({ stream }) => stream).sort();

test('sharing: when a sampler comes only streams that it gets move, when it goes only those that it had', t => {
  const streams = Array.from({ length: 1000 }, (_, i) => `default.cam${i}`);
  const two = streams.map(stream => readerOf(stream, ['a', 'b']));
  const three = streams.map(stream => readerOf(stream, ['c', 'a', 'b']));
  t.true(streams.every((_, i) => three[i] === two[i] || three[i] === 'c'));
  for (const sampler of ['a', 'b', 'c']) {
    const share = three.filter(reader => reader === sampler).length;
    t.true(share > 250 && share < 420, `${sampler} has ${share} of 1000`);
  }
  t.is(readerOf('x', []), undefined);
});

test('sharing: two samplers split the streams, none is read twice, none is left out', async t => {
  const world = simulatedWorld(t);
  for (const name of STREAMS) await world.apply(synthetic(name, 2));
  await world.sampler('s1');
  await world.sampler('s2');
  await world.clock.runFor(5000);
  const first = names(world.beats.get('s1'));
  const second = names(world.beats.get('s2'));
  t.true(first.length > 0 && second.length > 0);
  t.deepEqual([...first, ...second].sort(), [...STREAMS].sort());
  for (const name of STREAMS) {
    const seqs = world.of(name).map(({ message }) => message.seq);
    t.is(new Set(seqs).size, seqs.length, `${name} has each number once`);
    t.true(seqs.length >= 5);
  }
});

test('sharing: a sampler that comes later takes its share over, numbers go on growing', async t => {
  const world = simulatedWorld(t);
  for (const name of STREAMS) await world.apply(synthetic(name, 5));
  await world.sampler('s1');
  await world.clock.runFor(5000);
  t.is(names(world.beats.get('s1')).length, STREAMS.length);

  await world.sampler('s2');
  await world.clock.runFor(5000);
  t.true(names(world.beats.get('s2')).length > 0);
  t.is(names(world.beats.get('s1')).length + names(world.beats.get('s2')).length, STREAMS.length);
  for (const name of names(world.beats.get('s2'))) {
    const frames = world.of(name);
    t.true(
      frames.every(({ message }, i) => i === 0 || message.seq > frames[i - 1]!.message.seq),
      `${name} grows`,
    );
    const gaps = frames.slice(1).map((frame, i) => frame.atMs - frames[i]!.atMs);
    t.true(Math.max(...gaps) <= 800, `${name} rested ${Math.max(...gaps)} ms`);
  }
});

test('sharing: when a sampler crashes the others take its streams over', async t => {
  const world = simulatedWorld(t);
  for (const name of STREAMS) await world.apply(synthetic(name, 5));
  await world.sampler('s1');
  const second = await world.sampler('s2');
  await world.clock.runFor(5000);
  const lost = names(world.beats.get('s2'));
  t.true(lost.length > 0);

  second.kill();
  const killedMs = world.clock.nowMs();
  await world.clock.runFor(6000);
  t.deepEqual(names(world.beats.get('s1')), [...STREAMS].sort());
  for (const name of lost) {
    const again = world.of(name).find(({ atMs }) => atMs > killedMs)!;
    t.true(again.atMs - killedMs < 5000, `${name} came back after ${again.atMs - killedMs} ms`);
  }
});

test('sharing: a sampler that stops in good order hands over at once', async t => {
  const world = simulatedWorld(t);
  for (const name of STREAMS) await world.apply(synthetic(name, 5));
  await world.sampler('s1');
  const second = await world.sampler('s2');
  await world.clock.runFor(5000);
  const had = names(world.beats.get('s2'));
  await world.clock.settle(second.stop());
  const stoppedMs = world.clock.nowMs();
  await world.clock.runFor(1000);
  for (const name of had)
    t.true(
      world.of(name).some(({ atMs }) => atMs > stoppedMs && atMs < stoppedMs + 450),
      name,
    );
});

test('sharing: a stream that names its sampler is read there alone', async t => {
  const world = simulatedWorld(t);
  for (const name of STREAMS) await world.apply(synthetic(name, 1, { sampler: 's2' }));
  await world.sampler('s1');
  await world.clock.runFor(4000);
  t.is(world.frames.length, 0, 'its sampler is away');
  const second = await world.sampler('s2');
  await world.clock.runFor(3000);
  t.is(names(world.beats.get('s2')).length, STREAMS.length);
  second.kill();
  await world.clock.runFor(6000);
  t.deepEqual(names(world.beats.get('s1')), []);
});

test('sharing: a sampler that is cut off from the bus takes nothing more, and gives back what the others had taken', async t => {
  const world = simulatedWorld(t);
  for (const name of STREAMS) await world.apply(synthetic(name, 5));
  const first = await world.sampler('s1');
  await world.sampler('s2');
  await world.clock.runFor(5000);
  const had = names(world.beats.get('s1'));
  world.network.disconnect('s1');
  await world.clock.runFor(10_000);
  t.deepEqual(names(world.beats.get('s2')), [...STREAMS].sort(), 'the other took all');
  t.is(first.state.readerCount, had.length, 'the one cut off kept to its own');

  world.network.reconnect('s1');
  await world.clock.runFor(5000);
  t.deepEqual(names(world.beats.get('s1')), had);
  t.is(names(world.beats.get('s2')).length, STREAMS.length - had.length);
});

test('sharing: beyond streamsMax streams are left out, which is said once', async t => {
  const world = simulatedWorld(t);
  for (const name of STREAMS) await world.apply(synthetic(name, 1));
  await world.sampler('s1', undefined, { streamsMax: 5 });
  await world.clock.runFor(6000);
  t.is(names(world.beats.get('s1')).length, 5);
  t.is(world.logged.filter(line => line.includes('raise streamsMax')).length, 1);
});
