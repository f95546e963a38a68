import test from 'ava';
import sharp from 'sharp';
import { startActor } from '../../actors/actor/index.ts';
import { streamSampler, truthOfFrame } from '../../actors/stream-sampler/index.ts';
import { decode, encodeJson, realClock, systemRandom } from '../../bus/index.ts';
import { bucketName, BUCKETS, subjects, type Frame, type SamplerBeat } from '../../contracts/index.ts';
import { startNats } from '../helpers/nats-server.ts';
import { synthetic, until } from './world.ts';

test('stream-sampler on NATS: two share the streams; after the server was restarted frames flow again', async t => {
  const nats = await startNats(t);
  const watcher = await nats.connect();
  const frames: { subject: string; frame: Frame }[] = [];
  const beats = new Map<string, SamplerBeat>();
  watcher.subscribe(subjects.frames.at('ganglion'), ({ subject, data }) => {
    frames.push({ subject, frame: decode(data) as Frame });
  });
  watcher.subscribe(subjects.samplerBeats.at('ganglion'), ({ subject, data }) => {
    beats.set(subject.split('.').at(-1)!, decode(data) as SamplerBeat);
  });
  const document = synthetic('game-1', 10);
  const config = await watcher.keyValue(bucketName('ganglion', BUCKETS.config));
  await config.put('streams.default.game-1', encodeJson(document));
  await config.put('streams.default.game-2', encodeJson({ ...document, name: 'game-2' }));

  for (const id of ['s1', 's2']) {
    const surroundings = { bus: await nats.connect(), clock: realClock, random: systemRandom, id, checkOutgoing: true };
    const running = await startActor(streamSampler(), surroundings);
    t.teardown(() => running.stop());
  }
  const streamsRead = (): number => [...beats.values()].reduce((sum, beat) => sum + beat.streams.length, 0);
  await until(
    () => beats.size === 2 && streamsRead() === 2 && frames.length > 10,
    () => [...beats],
  );

  const { frame } = frames.find(({ subject }) => subject.endsWith('.game-1'))!;
  t.is(frame.meta?.['t'], truthOfFrame(document, frame.seq)!.timeMs);
  t.like(await sharp(frame.picture.data).metadata(), { format: 'jpeg', width: 640, height: 360 });

  await nats.restart();
  frames.length = 0;
  await until(() => frames.some(({ subject }) => subject.endsWith('.game-1')));
  await until(() => frames.some(({ subject }) => subject.endsWith('.game-2')));

  await config.delete('streams.default.game-2');
  await until(
    () => streamsRead() === 1,
    () => [...beats],
  );
  t.pass();
});
