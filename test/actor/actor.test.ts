import test, { type ExecutionContext } from 'ava';
import { actor, startActor, type AnyActor } from '../../actors/actor/index.ts';
import { createNetwork, decode, decodeJson, encode, encodeJson, VirtualClock } from '../../bus/index.ts';
import {
  ConfigError,
  ErrorReply,
  RefusedError,
  RemoteError,
  seededRandom,
  sleep,
  subjects,
  Type,
  validator,
  type Log,
} from '../../contracts/index.ts';

const JPEG = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 1, 2, 3);

function world(t: ExecutionContext) {
  const clock = new VirtualClock();
  const network = createNetwork({ clock });
  const logged: string[] = [];
  const say = (message: string, facts?: object) => void logged.push(`${message} ${JSON.stringify(facts ?? {})}`);
  const log: Log = { debug: say, info: say, warn: say, error: say };
  return {
    clock,
    network,
    logged,
    async start<D extends AnyActor>(definition: D, id: string, config?: unknown) {
      const starting = startActor(definition, {
        bus: network.connect(id),
        clock,
        random: seededRandom(1),
        log,
        id,
        checkOutgoing: true,
        ...(config === undefined ? {} : { config }),
      });
      const running = await clock.settle(starting);
      t.teardown(() => running.kill());
      return running as typeof running & { state: ReturnType<D['state']> };
    },
  };
}

/** Listens to frames, adds up their numbers, answers `drain` in three ways. */
const adder = actor({
  name: 'adder',
  version: '1.2.3',
  description: 'adds up the numbers of frames',
  config: Type.Object({ factor: Type.Integer({ default: 1 }), tenant: Type.Optional(Type.String()) }),
  state: ({ config }) => ({ total: 0, factor: config.factor, streams: [] as string[], stopped: false }),
  on: {
    frames: {
      queue: 'adders',
      at: ({ config }) => (config.tenant === undefined ? {} : { tenant: config.tenant }),
      handle: (ctx, frame, { params }) => {
        ctx.state.total += frame.seq * ctx.state.factor;
        ctx.state.streams.push(params.stream);
      },
    },
    drain: {
      inFlightMax: 2,
      handle: async (ctx, { host }) => {
        if (host === 'refused') throw new RefusedError('not this one');
        if (host === 'broken') throw new TypeError('a bug');
        await sleep(ctx.clock, 100);
        return { v: 1, host, detail: 'done' };
      },
    },
  },
  stop: ctx => void (ctx.state.stopped = true),
});

test('actor: hears what it listens to, with defaults in its configuration filled in', async t => {
  const { clock, network, start } = world(t);
  const { state } = await start(adder, 'adder-1', { factor: 3 });
  const bus = network.connect('camera');
  bus.publish('ganglion.frames.default.cam', encode({ v: 1, seq: 5, picture: { encoding: 'jpeg', data: JPEG } }));
  await clock.runFor(1);
  t.is(state.total, 15);
  t.deepEqual(state.streams, ['cam']);
});

test('actor: a bare JPEG is a frame, its header numbers it', async t => {
  const { clock, network, start } = world(t);
  const { state } = await start(adder, 'adder-1');
  network.connect('camera').publish('ganglion.frames.default.cam', JPEG, { headers: { seq: '7' } });
  await clock.runFor(1);
  t.is(state.total, 7);
});

test('actor: one of a queue group hears each message, and bound parameters leave the others out', async t => {
  const { clock, network, start } = world(t);
  const first = await start(adder, 'adder-1', { tenant: 'a' });
  const second = await start(adder, 'adder-2', { tenant: 'a' });
  const bus = network.connect('camera');
  for (const tenant of ['a', 'b', 'a', 'b', 'a']) {
    bus.publish(`ganglion.frames.${tenant}.cam`, encode({ v: 1, seq: 1, picture: { encoding: 'jpeg', data: JPEG } }));
  }
  await clock.runFor(1);
  t.is(first.state.total + second.state.total, 3);
});

test('actor: messages that are none are counted, told once a kind, and the next is heard', async t => {
  const { clock, network, start, logged } = world(t);
  const running = await start(adder, 'adder-1');
  const bus = network.connect('camera');
  const bad = [
    Uint8Array.of(0xc1),
    encode('text'),
    encode({ v: 2, seq: 1 }),
    encode({ v: 1, seq: 'x' }),
    new Uint8Array(),
    encodeJson({ v: 1 }),
  ];
  for (const data of [...bad, ...bad]) bus.publish('ganglion.frames.default.cam', data);
  bus.publish('ganglion.frames.default.cam', encode({ v: 1, seq: 5, picture: { encoding: 'jpeg', data: JPEG } }));
  await clock.runFor(1);
  const frames = running.stats().find(({ name }) => name === 'frames')!;
  t.is(frames.malformed, 12);
  t.is(frames.requests, 13);
  t.is(running.state.total, 5);
  const told = logged.filter(line => line.includes('a message was refused'));
  t.is(new Set(told).size, told.length);
  t.true(told.some(line => line.includes('version 2 is not understood')));
});

test('actor: a request is answered; refusals and bugs come back as errors, and the actor lives', async t => {
  const { clock, network, start } = world(t);
  await start(adder, 'adder-1');
  const asker = await start(
    actor({
      name: 'asker',
      version: '1.0.0',
      description: 'asks',
      config: Type.Object({}),
      state: () => ({}),
      start: ctx => void (ask = host => ctx.request(subjects.drain, {}, { v: 1, host }, { timeoutMs: 1000 })),
    }),
    'asker-1',
  );
  t.truthy(asker);
  t.deepEqual(await clock.settle(ask('gpu-a')), { v: 1, host: 'gpu-a', detail: 'done' });
  const refused = await t.throwsAsync(clock.settle(ask('refused')), {
    instanceOf: RemoteError,
    message: 'not this one',
  });
  t.is(refused.remoteCode, 'refused');
  const broken = await t.throwsAsync(clock.settle(ask('broken')), { instanceOf: RemoteError });
  t.is(broken.remoteCode, 'internal');
  t.deepEqual(await clock.settle(ask('gpu-b')), { v: 1, host: 'gpu-b', detail: 'done' });
  const reply = await clock.settle(
    network.connect('shell').request('ganglion.control.drain', encodeJson({ v: 1, host: 'json' }), { timeoutMs: 1000 }),
  );
  t.deepEqual(decodeJson(reply.data), { v: 1, host: 'json', detail: 'done' }, 'asked in JSON, answered in JSON');
});
let ask: (host: string) => Promise<unknown> = async () => undefined;

test('actor: who accepts JSON gets JSON, however the header is spelt', async t => {
  const { clock, network, start } = world(t);
  await start(adder, 'adder-1');
  const shell = network.connect('shell');
  for (const name of ['accept', 'Accept']) {
    const headers = { [name]: 'application/json' };
    const asked = shell.request('ganglion.control.drain', encode({ v: 1, host: 'x' }), { timeoutMs: 1000, headers });
    t.deepEqual(decodeJson((await clock.settle(asked)).data), { v: 1, host: 'x', detail: 'done' });
  }
});

test('actor: beyond its bound on handlers under way a request is refused at once', async t => {
  const { clock, network, start } = world(t);
  const running = await start(adder, 'adder-1');
  const bus = network.connect('shell');
  const answers = await clock.settle(
    Promise.all(
      [1, 2, 3].map(async n =>
        bus.request('ganglion.control.drain', encode({ v: 1, host: `gpu-${n}` }), { timeoutMs: 1000 }),
      ),
    ),
  );
  const errors = answers.map(({ data }) => decode(data)).filter(reply => validator(ErrorReply).accepts(reply));
  t.is(errors.length, 1);
  t.is((errors[0] as ErrorReply).error.code, 'overloaded');
  t.is(running.stats().find(({ name }) => name === 'drain')!.overflow, 1);
});

test('actor: a wrong configuration is refused with its field', async t => {
  const { start } = world(t);
  await t.throwsAsync(start(adder, 'adder-1', { factor: 'two' }), {
    instanceOf: ConfigError,
    message: /adder config\.factor: must be integer/,
  });
  await t.throwsAsync(start(adder, 'no.dots'), { instanceOf: ConfigError, message: /"no.dots" is not a name/ });
});

test('actor: stopping waits for handlers under way and answers them', async t => {
  const { clock, network, start } = world(t);
  const running = await start(adder, 'adder-1');
  const answer = network
    .connect('shell')
    .request('ganglion.control.drain', encode({ v: 1, host: 'gpu-a' }), { timeoutMs: 5000 });
  await clock.runFor(10);
  const stopping = running.stop();
  await clock.settle(stopping);
  t.true(running.state.stopped);
  t.deepEqual(decode((await clock.settle(answer)).data), { v: 1, host: 'gpu-a', detail: 'done' });
});

test('actor: what must be kept while the bus is away is sent when it is back, in order; the rest says that it is lost', async t => {
  const { clock, network, start } = world(t);
  const said: boolean[] = [];
  let back = 0;
  let tell: (seq: number, keep: boolean) => void = () => {};
  const teller = actor({
    name: 'teller',
    version: '1.0.0',
    description: 'tells',
    config: Type.Object({}),
    state: () => ({}),
    start: ctx => {
      tell = (seq, keep) =>
        void said.push(
          ctx.publish(
            subjects.frames,
            { tenant: 'a', stream: 's' },
            { v: 1, seq, picture: { encoding: 'jpeg', data: JPEG } },
            { keep },
          ),
        );
    },
    reconnected: () => void back++,
  });
  await start(teller, 'teller-1');
  const heard: number[] = [];
  network
    .connect('ear')
    .subscribe('ganglion.frames.>', ({ data }) => void heard.push((decode(data) as { seq: number }).seq));
  tell(1, true);
  await clock.runFor(1);
  network.disconnect('teller-1');
  tell(2, true);
  tell(3, false);
  tell(4, true);
  await clock.runFor(10);
  network.reconnect('teller-1');
  await clock.runFor(10);
  tell(5, true);
  await clock.runFor(10);
  t.deepEqual(heard, [1, 2, 4, 5]);
  t.deepEqual(said, [true, true, false, true, true]);
  t.is(back, 1);
});

test('actor: a slow timer delays its next run instead of overlapping', async t => {
  const { clock, start } = world(t);
  const runs: number[] = [];
  const slow = actor({
    name: 'slow',
    version: '1.0.0',
    description: 'is slow',
    config: Type.Object({}),
    state: () => ({}),
    every: {
      beat: {
        everyMs: 100,
        run: async ctx => {
          runs.push(ctx.clock.nowMs());
          await sleep(ctx.clock, 250);
        },
      },
    },
  });
  await start(slow, 'slow-1');
  await clock.runUntil(850);
  t.deepEqual(runs, [100, 400, 700]);
});

test('actor: an actor can leave, and crashes when its own timer throws', async t => {
  const { clock, start } = world(t);
  const quitter = (how: 'leave' | 'throw') =>
    actor({
      name: 'quitter',
      version: '1.0.0',
      description: 'quits',
      config: Type.Object({}),
      state: () => ({}),
      start: ctx =>
        void ctx.after(50, () => {
          if (how === 'throw') throw new Error('no way on');
          ctx.leave('done');
        }),
    });
  t.deepEqual(await clock.settle((await start(quitter('leave'), 'q-1')).ended), { how: 'left', reason: 'done' });
  t.is((await clock.settle((await start(quitter('throw'), 'q-2')).ended)).how, 'crashed');
});

test('actor: answers micro-service discovery as ADR-32 wants it', async t => {
  const { clock, network, start } = world(t);
  await start(adder, 'adder-1');
  await start(adder, 'adder-2');
  const bus = network.connect('nats-cli');
  bus.publish('ganglion.frames.default.cam', encode({ v: 1, seq: 5, picture: { encoding: 'jpeg', data: JPEG } }));
  const all = await clock.settle(bus.requestMany('$SRV.PING', new Uint8Array(), { waitMs: 100 }));
  t.deepEqual(all.map(({ data }) => (decodeJson(data) as { id: string }).id).sort(), ['adder-1', 'adder-2']);
  const ask = async (subject: string) =>
    decodeJson((await clock.settle(bus.request(subject, new Uint8Array(), { timeoutMs: 100 }))).data);
  t.deepEqual(await ask('$SRV.PING.adder.adder-2'), {
    type: 'io.nats.micro.v1.ping_response',
    name: 'adder',
    id: 'adder-2',
    version: '1.2.3',
    metadata: { prefix: 'ganglion' },
  });
  const info = (await ask('$SRV.INFO.adder')) as { type: string; description: string; endpoints: object[] };
  t.is(info.type, 'io.nats.micro.v1.info_response');
  t.deepEqual(info.endpoints[0], {
    name: 'frames',
    subject: 'ganglion.frames.*.*',
    queue_group: 'adders',
    metadata: {},
  });
  const stats = (await clock.settle(bus.requestMany('$SRV.STATS', new Uint8Array(), { waitMs: 100 }))).map(
    ({ data }) => decodeJson(data) as { type: string; started: string; endpoints: Record<string, unknown>[] },
  );
  t.true(
    stats.every(
      ({ type, started }) => type === 'io.nats.micro.v1.stats_response' && /^\d{4}-\d\d-\d\dT.*Z$/.test(started),
    ),
  );
  t.is(
    stats.reduce((sum, { endpoints }) => sum + Number(endpoints[0]!['num_requests']), 0),
    1,
  );
  for (const { endpoints } of stats) {
    for (const endpoint of endpoints) {
      t.true(Number.isInteger(endpoint['processing_time']) && Number.isInteger(endpoint['average_processing_time']));
      t.is(typeof endpoint['last_error'], 'string');
    }
  }
});
