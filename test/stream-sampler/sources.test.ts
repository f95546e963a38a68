import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import sharp from 'sharp';
import {
  ffmpegArguments,
  isRecording,
  JpegSplitter,
  sharpPixels,
  sourceOpener,
} from '../../actors/stream-sampler/index.ts';
import { encode, realClock, systemRandom } from '../../bus/index.ts';
import { silentLog, SourceError, type StreamDocument } from '../../contracts/index.ts';
import { realWorld, synthetic, until } from './world.ts';

const picture = (gray: number, size = 64): Promise<Buffer> =>
  sharp({ create: { width: size, height: size, channels: 3, background: { r: gray, g: gray, b: gray } } })
    .jpeg()
    .toBuffer();

/** 400×400 pixels that compress badly: well over 100 KB. */
const rough = (): Promise<Buffer> => {
  const pixels = Buffer.from(Array.from({ length: 400 * 400 * 3 }, (_, i) => (i * 7919 * (i % 251)) & 0xff));
  return sharp(pixels, { raw: { width: 400, height: 400, channels: 3 } })
    .jpeg({ quality: 98 })
    .toBuffer();
};

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'pictures-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

const stream = (name: string, source: StreamDocument['source'], more: Partial<StreamDocument> = {}): StreamDocument =>
  synthetic(name, 20, { source, ...more });

test('folder: pictures come in order, a broken one is counted and told, the rest goes on to the end', async t => {
  const path = await folder(t);
  await writeFile(join(path, 'p1.jpg'), await picture(10));
  await writeFile(join(path, 'p2.jpg'), (await rough()).subarray(0, 20_000));
  await writeFile(join(path, 'p3.jpg'), 'no picture at all');
  await writeFile(
    join(path, 'p10.png'),
    await sharp(await picture(40))
      .png()
      .toBuffer(),
  );
  await writeFile(join(path, 'notes.txt'), 'not for us');
  const world = realWorld(t);
  await world.apply(stream('pictures', { kind: 'folder', path }));
  await world.sampler('s1');
  await until(() => world.newsOf('pictures').includes('ended'));

  t.deepEqual(
    world.of('pictures').map(({ message }) => message.meta?.['file']),
    ['p1.jpg', 'p10.png'],
  );
  t.true(world.of('pictures').every(({ message }) => message.picture.encoding === 'jpeg'));
  await until(() => world.reportOf('s1', 'pictures')?.state === 'ended');
  t.like(world.reportOf('s1', 'pictures'), { broken: 2, published: 2 });
  t.true(world.logged.some(line => line.includes('p2.jpg')));
  t.true(world.logged.some(line => line.includes('p3.jpg')));
});

test('folder: a loop begins again and sees new files', async t => {
  const path = await folder(t);
  await writeFile(join(path, 'a.jpg'), await picture(10));
  const world = realWorld(t);
  await world.apply(stream('pictures', { kind: 'folder', path, loop: true }));
  await world.sampler('s1');
  await until(() => world.of('pictures').length >= 2);
  await writeFile(join(path, 'b.jpg'), await picture(20));
  await until(() => world.of('pictures').some(({ message }) => message.meta?.['file'] === 'b.jpg'));
  t.deepEqual(world.newsOf('pictures'), ['live']);
});

test('folder: one that does not exist or is empty is told by name', async t => {
  const path = await folder(t);
  const world = realWorld(t);
  await world.apply(stream('none', { kind: 'folder', path: join(path, 'missing') }));
  await world.apply(stream('empty', { kind: 'folder', path }));
  await world.sampler('s1');
  await until(() => world.news.length >= 2);
  t.regex(world.news.find(({ stream }) => stream === 'none')!.message.detail, /missing.*ENOENT/);
  t.regex(world.news.find(({ stream }) => stream === 'empty')!.message.detail, /holds no \.jpg/);
});

test('subject: bare pictures and frames become frames of the stream; what is neither is counted', async t => {
  const world = realWorld(t);
  await world.apply(stream('relay', { kind: 'subject', subject: 'cameras.north' }, { rateHz: 1000 }));
  await world.sampler('s1');
  const publish = async (data: Uint8Array, done: () => boolean): Promise<void> => {
    world.watcher.publish('cameras.north', data);
    await until(done);
  };
  await until(() => world.reportOf('s1', 'relay') !== undefined);
  // The subscription is made in the background: publish until the first arrives.
  const jpeg = await picture(50);
  await until(() => {
    if (world.of('relay').length === 0) world.watcher.publish('cameras.north', jpeg);
    return world.of('relay').length > 0;
  });
  await publish(
    encode({ v: 1, seq: 77, picture: { encoding: 'jpeg', data: jpeg }, ageMs: 40, meta: { camera: 'north' } }),
    () => world.of('relay').some(({ message }) => message.meta?.['sourceSeq'] === 77),
  );
  const frame = world.of('relay').find(({ message }) => message.meta?.['sourceSeq'] === 77)!.message;
  t.is(frame.meta?.['camera'], 'north');
  t.true(frame.ageMs! >= 40);
  t.deepEqual(Buffer.from(frame.picture.data), jpeg);
  await publish(Uint8Array.of(1, 2, 3), () => world.logged.some(line => line.includes('a picture was left out')));
  await until(() => (world.reportOf('s1', 'relay')?.broken ?? 0) > 0);
  t.is(world.reportOf('s1', 'relay')?.state, 'live');
});

test('subject: a stream that would read its own frames is refused', async t => {
  const world = realWorld(t);
  await world.apply(stream('self', { kind: 'subject', subject: 'ganglion.frames.default.self' }));
  await world.sampler('s1');
  await until(() => world.news.length > 0);
  t.like(world.news[0]!.message, { state: 'dead' });
  t.regex(world.news[0]!.message.detail, /name another/);
});

test('max_payload: a frame that is too large is made smaller; where that is not enough it is counted and told', async t => {
  const path = await folder(t);
  await writeFile(join(path, 'rough.jpg'), await rough());

  const small = realWorld(t, { maxPayloadBytes: 40_000 });
  await small.apply(stream('big', { kind: 'folder', path }));
  await small.sampler('s1');
  await until(() => small.newsOf('big').includes('ended'));
  t.is(small.of('big').length, 1);
  const { data } = small.of('big')[0]!.message.picture;
  t.true(data.byteLength <= 39_000);
  const { width } = await sharp(data).metadata();
  t.true(width < 400);
  t.true(small.logged.some(line => line.includes('made smaller') && line.includes('max_payload')));

  const tiny = realWorld(t, { maxPayloadBytes: 1200 });
  await tiny.apply(stream('big', { kind: 'folder', path }));
  await tiny.sampler('s1');
  await until(() => tiny.logged.some(line => line.includes('was not published')));
  t.is(tiny.of('big').length, 0);
  t.true(tiny.logged.some(line => line.includes('raise the server')));
});

test('ffmpeg: where it is missing the error says how to get it', async t => {
  const world = realWorld(t);
  await world.apply(stream('clip', { kind: 'ffmpeg', url: 'clip.mp4' }));
  await world.sampler('s1', {}, { ffmpeg: '/nowhere/ffmpeg' });
  await until(() => world.news.length > 0);
  t.like(world.news[0]!.message, { state: 'dead' });
  t.regex(world.news[0]!.message.detail, /looked for "\/nowhere\/ffmpeg".*apt install ffmpeg/);
});

test('ffmpeg: which options a source turns into', t => {
  const of = (source: object) =>
    ffmpegArguments({ kind: 'ffmpeg', url: 'clip.mp4', ...source }, { rateHz: 2.5, quality: 85 }).join(' ');
  t.regex(of({}), /-re -i clip\.mp4 .*-vf fps=2\.5 .*-q:v 5 /);
  t.notRegex(of({ realtime: false }), /-re /);
  t.regex(of({ loop: true, width: 640 }), /-stream_loop -1 .*-i clip\.mp4 .*fps=2\.5,scale=640:-2/);
  t.regex(of({ url: 'rtsp://camera/1', loop: true }), /-rtsp_transport tcp -i rtsp/);
  t.notRegex(of({ url: 'rtsp://camera/1', loop: true }), /-re |-stream_loop/);
  t.regex(of({ url: '/dev/video0', inputOptions: ['-f', 'v4l2'] }), /error -f v4l2 -i \/dev\/video0/);
  t.true(isRecording({ kind: 'ffmpeg', url: 'https://host/clip.mp4', realtime: true }));
  t.false(isRecording({ kind: 'ffmpeg', url: 'https://host/live.m3u8' }));
});

test('ffmpeg: pictures are cut out of the stream of bytes wherever its chunks end', async t => {
  const pictures = [await picture(10, 32), await picture(200, 48), await picture(90, 16)];
  const bytes = Buffer.concat([Buffer.from('noise before'), ...pictures]);
  for (const chunkBytes of [1, 2, 7, 300, bytes.length]) {
    const splitter = new JpegSplitter();
    const found: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += chunkBytes)
      found.push(...splitter.push(bytes.subarray(at, at + chunkBytes)));
    t.deepEqual(
      found.map(data => Buffer.from(data)),
      pictures,
      `chunks of ${chunkBytes}`,
    );
  }
  const endless = new JpegSplitter();
  t.throws(
    () => {
      for (let i = 0; i < 40; i++) endless.push(Buffer.alloc(1024 * 1024));
    },
    { instanceOf: SourceError, message: /no JPEG stream/ },
  );
});

/** Runs where ffmpeg is on PATH; elsewhere the report says that these were skipped. */
const withFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0 ? test : test.skip;

/** A clip of ffmpeg's test picture, 10 pictures a second. */
async function clip(path: string, seconds: number): Promise<string> {
  const file = join(path, 'clip.avi');
  const source = ['-f', 'lavfi', '-i', `testsrc=size=160x120:rate=10:duration=${seconds}`];
  const made = spawn('ffmpeg', ['-loglevel', 'error', ...source, '-c:v', 'mjpeg', file], { stdio: 'inherit' });
  await new Promise<void>((resolve, reject) => {
    made.once('error', reject);
    made.once('exit', code => (code === 0 ? resolve() : reject(new Error(`ffmpeg made no clip: ${code}`))));
  });
  return file;
}

withFfmpeg('ffmpeg (needs it on PATH): a clip is sampled at the rate, scaled, and ends', async t => {
  const file = await clip(await folder(t), 4);
  const world = realWorld(t);
  const source = { kind: 'ffmpeg', url: file, realtime: false, width: 80 } as const;
  await world.apply(stream('clip', source, { rateHz: 5 }));
  await world.sampler('s1');
  await until(
    () => world.newsOf('clip').includes('ended'),
    () => world.logged,
  );
  const frames = world.of('clip');
  t.true(frames.length >= 19 && frames.length <= 21, `${frames.length} of 4 s at 5 Hz, none lost`);
  t.like(await sharp(frames[0]!.message.picture.data).metadata(), { format: 'jpeg', width: 80, height: 60 });
  t.is(new Set(frames.map(({ message }) => Buffer.from(message.picture.data).toString('base64'))).size, frames.length);
});

withFfmpeg(
  'ffmpeg (needs it on PATH): a looping clip runs at its own speed until the stream is removed, its process too',
  async t => {
    const file = await clip(await folder(t), 1);
    const world = realWorld(t);
    await world.apply(stream('clip', { kind: 'ffmpeg', url: file, loop: true }, { rateHz: 10 }));
    await world.sampler('s1');
    await until(
      () => world.of('clip').length > 15,
      () => world.logged,
    );
    const running = (): boolean => spawnSync('pgrep', ['-f', file]).status === 0;
    t.true(running());
    await world.remove('clip');
    await until(() => !running());
    t.deepEqual(world.newsOf('clip'), ['live', 'removed']);
  },
);

withFfmpeg('ffmpeg (needs it on PATH): what it says about a file that is none reaches the news', async t => {
  const file = join(await folder(t), 'clip.mp4');
  await writeFile(file, 'this is no film');
  const world = realWorld(t);
  await world.apply(stream('clip', { kind: 'ffmpeg', url: file }));
  await world.sampler('s1');
  await until(() => world.news.length > 0);
  t.like(world.news[0]!.message, { state: 'dead' });
  t.regex(world.news[0]!.message.detail, /clip\.mp4.*Invalid data/);
});

withFfmpeg(
  'ffmpeg (needs it on PATH): closing ends its process while pictures wait, whether it is paced or not',
  async t => {
    const file = await clip(await folder(t), 20);
    const running = (): boolean => spawnSync('pgrep', ['-f', file]).status === 0;
    for (const realtime of [false, true]) {
      const around = {
        tenant: 'default',
        stream: 'clip',
        prefix: 'ganglion',
        bus: realWorld(t).watcher,
        timers: realClock,
        random: systemRandom,
        log: silentLog,
        pixels: sharpPixels,
        ffmpeg: 'ffmpeg',
      };
      const source = await sourceOpener()(
        stream('clip', { kind: 'ffmpeg', url: file, realtime }, { rateHz: 10 }),
        around,
      );
      t.truthy(await source.next({ seq: 0, timeMs: 0 }));
      t.true(running());
      await source.close();
      t.false(running());
      t.is(await source.next({ seq: 1, timeMs: 0 }).catch(() => undefined), undefined);
    }
  },
);
