import test from 'ava';
import {
  DisconnectedError,
  NoResponderError,
  PayloadTooLargeError,
  RequestTimeoutError,
  type BusMessage,
} from '../../contracts/index.ts';
import { bytes, collect, kinds, serve, statuses, text, until } from './worlds.ts';

// What contracts/bus.ts promises about messages, on every implementation.

test('bus: there is a nats-server to test against', t => {
  t.true(kinds.length > 1, 'get one with: npm run setup');
});

for (const { name, start } of kinds) {
  test.serial(`bus: messages of one publisher arrive in order (${name})`, async t => {
    const world = await start(t);
    const [a, b] = [await world.connect(), await world.connect()];
    const got = await collect(b, 'x.y');
    const sent = Array.from({ length: 2000 }, (_, i) => String(i));
    for (const n of sent) t.true(a.publish('x.y', bytes(n)));
    await until(() => got.length >= sent.length);
    t.deepEqual(got, sent);
  });

  test.serial(`bus: delivery is never inside publish (${name})`, async t => {
    const bus = await (await start(t)).connect();
    const got = await collect(bus, 'x');
    bus.publish('x', bytes('1'));
    t.deepEqual(got, []);
    await until(() => got.length === 1);
  });

  test.serial(`bus: wildcards take one token or the rest (${name})`, async t => {
    const world = await start(t);
    const [a, b] = [await world.connect(), await world.connect()];
    const one = await collect(b, 'f.*.c');
    const rest = await collect(b, 'f.>');
    const all = await collect(b, '>');
    const exact = await collect(b, 'f.a.c');
    for (const subject of ['f', 'f.a', 'f.a.c', 'f.b.c', 'f.a.c.d', 'g']) a.publish(subject, bytes(subject));
    await until(() => all.length >= 6 && rest.length >= 4);
    t.deepEqual(one, ['f.a.c', 'f.b.c']);
    t.deepEqual(rest, ['f.a', 'f.a.c', 'f.b.c', 'f.a.c.d']);
    t.deepEqual(exact, ['f.a.c']);
    t.is(all.length, 6);
  });

  test.serial(`bus: in a queue group each message goes to one member, outside it to all (${name})`, async t => {
    const world = await start(t);
    const [a, b, c] = [await world.connect(), await world.connect(), await world.connect()];
    const members = [await collect(b, 'work.*', 'crew'), await collect(c, 'work.*', 'crew')];
    const others = await collect(b, 'work.1', 'other-crew');
    const watcher = await collect(c, 'work.1');
    for (let i = 0; i < 200; i++) a.publish('work.1', bytes(String(i)));
    await until(() => members[0]!.length + members[1]!.length >= 200 && others.length >= 200 && watcher.length >= 200);
    t.is(new Set([...members[0]!, ...members[1]!]).size, 200);
    t.is(members[0]!.length + members[1]!.length, 200);
    t.true(
      members.every(member => member.length > 20),
      `a fair share each: ${members.map(m => m.length).join(', ')}`,
    );
    t.is(others.length, 200);
    t.is(watcher.length, 200);
  });

  test.serial(`bus: a request is answered, with headers both ways (${name})`, async t => {
    const world = await start(t);
    const [a, b] = [await world.connect(), await world.connect()];
    b.subscribe('ask.*', message => {
      message.respond(bytes(`to ${text(message.data)}`), {
        headers: { 'x-seen': message.headers?.['accept'] ?? 'none' },
      });
    });
    await b.flush();
    const answer = await a.request('ask.me', bytes('hi'), { timeoutMs: 5000, headers: { accept: 'application/json' } });
    t.is(text(answer.data), 'to hi');
    t.deepEqual(answer.headers, { 'x-seen': 'application/json' });
    t.is((await a.request('ask.me', bytes('hi'), { timeoutMs: 5000 })).headers?.['x-seen'], 'none');
  });

  test.serial(`bus: a message without headers or reply has none, and can't be answered (${name})`, async t => {
    const bus = await (await start(t)).connect();
    let got: BusMessage | undefined;
    bus.subscribe('x', message => (got = message));
    bus.publish('x', new Uint8Array(0));
    await until(() => got !== undefined);
    t.is(got!.headers, undefined);
    t.is(got!.reply, undefined);
    t.is(got!.data.byteLength, 0);
    t.is(got!.subject, 'x');
    t.false(got!.respond(bytes('?')));
  });

  test.serial(`bus: a request that nobody listens to fails at once (${name})`, async t => {
    const bus = await (await start(t)).connect();
    // The timeout is longer than the test may take.
    const error = await t.throwsAsync(bus.request('nobody.home', bytes(''), { timeoutMs: 600_000 }));
    t.true(error instanceof NoResponderError);
    t.is((error as NoResponderError).subject, 'nobody.home');
  });

  test.serial(`bus: a request without an answer runs into its timeout (${name})`, async t => {
    const world = await start(t);
    const [a, b] = [await world.connect(), await world.connect()];
    const got = await collect(b, 'deaf');
    const error = await t.throwsAsync(a.request('deaf', bytes('?'), { timeoutMs: 50 }));
    t.true(error instanceof RequestTimeoutError);
    t.deepEqual(got, ['?']);
  });

  test.serial(`bus: many requests under way find their own answers (${name})`, async t => {
    const world = await start(t);
    const [a, b] = [await world.connect(), await world.connect()];
    await serve(b, 'echo');
    const asked = Array.from({ length: 200 }, (_, i) => String(i));
    const answers = await Promise.all(asked.map(async n => a.request('echo', bytes(n), { timeoutMs: 10_000 })));
    t.deepEqual(
      answers.map(answer => text(answer.data)),
      asked.map(n => `echo ${n}`),
    );
  });

  test.serial(
    `bus: requestMany gathers what comes: up to max, until it stalls, until the wait is over (${name})`,
    async t => {
      const world = await start(t);
      const asker = await world.connect();
      for (const who of ['a', 'b', 'c']) await serve(await world.connect(), 'roll.call', () => who);
      const ask = async (options: { waitMs: number; max?: number; stallMs?: number }) => {
        const answers = await asker.requestMany('roll.call', bytes('?'), options);
        return answers.map(answer => text(answer.data) ?? '').sort((x, y) => x.localeCompare(y));
      };
      t.is((await ask({ waitMs: 600_000, max: 2 })).length, 2);
      t.deepEqual(await ask({ waitMs: 600_000, stallMs: 300 }), ['a', 'b', 'c']);
      t.deepEqual(await ask({ waitMs: 300 }), ['a', 'b', 'c']);
      t.deepEqual(await asker.requestMany('nobody.home', bytes('?'), { waitMs: 600_000 }), []);
    },
  );

  test.serial(`bus: what is too large is refused before it is sent, what just fits is not (${name})`, async t => {
    const world = await start(t);
    const [a, b] = [await world.connect(), await world.connect()];
    let got = 0;
    b.subscribe('big', message => (got = message.data.byteLength));
    await b.flush();
    const max = a.maxPayloadBytes;
    t.is(max, 1024 * 1024);
    t.true(a.publish('big', new Uint8Array(max)));
    await until(() => got === max);
    const error = t.throws(() => a.publish('big', new Uint8Array(max + 1)));
    t.true(error instanceof PayloadTooLargeError);
    t.is((error as PayloadTooLargeError).maxBytes, max);
    t.throws(() => a.publish('big', new Uint8Array(max), { headers: { seq: '1' } }), {
      instanceOf: PayloadTooLargeError,
    });
    await t.throwsAsync(a.request('big', new Uint8Array(max + 1), { timeoutMs: 50 }), {
      instanceOf: PayloadTooLargeError,
    });
    t.true(a.connected);
  });

  test.serial(`bus: malformed subjects and headers are programmer's errors (${name})`, async t => {
    const bus = await (await start(t)).connect();
    for (const subject of ['', 'a..b', 'a.', '.a', 'a b', 'a.*', '>', 'a.>']) {
      t.throws(() => bus.publish(subject, bytes('')), { instanceOf: TypeError }, subject);
    }
    for (const pattern of ['', 'a..b', 'a.>.b', 'a b']) {
      t.throws(() => bus.subscribe(pattern, () => {}), { instanceOf: TypeError }, pattern);
    }
    t.throws(() => bus.publish('a', bytes(''), { headers: { 'a:b': 'c' } }), { instanceOf: TypeError });
    t.throws(() => bus.publish('a', bytes(''), { headers: { a: 'b\r\nc' } }), { instanceOf: TypeError });
  });

  test.serial(`bus: after unsubscribe nothing is delivered, not even what is on its way (${name})`, async t => {
    const bus = await (await start(t)).connect();
    const got: string[] = [];
    const subscription = bus.subscribe('x', message => got.push(text(message.data)!));
    const marker = await collect(bus, 'end');
    bus.publish('x', bytes('1'));
    subscription.unsubscribe();
    bus.publish('end', bytes(''));
    await until(() => marker.length === 1);
    t.deepEqual(got, []);
  });

  test.serial(`bus: drain of a subscription delivers what was received, then no more (${name})`, async t => {
    const world = await start(t);
    const [a, b] = [await world.connect(), await world.connect()];
    const got: string[] = [];
    const subscription = b.subscribe('x', message => got.push(text(message.data)!));
    await b.flush();
    for (let i = 0; i < 100; i++) a.publish('x', bytes(String(i)));
    await a.flush();
    await subscription.drain();
    t.is(got.length, 100);
    await t.throwsAsync(a.request('x', bytes('late'), { timeoutMs: 5000 }), { instanceOf: NoResponderError });
    t.is(got.length, 100);
  });

  test.serial(`bus: drain of the bus sends what was published and ends it (${name})`, async t => {
    const world = await start(t);
    const [a, b] = [await world.connect(), await world.connect()];
    const got = await collect(b, 'x');
    const seen = statuses(a);
    a.subscribe('y', () => {});
    for (let i = 0; i < 100; i++) a.publish('x', bytes(String(i)));
    await a.drain();
    await until(() => got.length === 100);
    t.is(seen.at(-1), 'closed');
    t.false(a.connected);
    t.false(a.publish('x', bytes('late')));
    await t.throwsAsync(a.request('x', bytes(''), { timeoutMs: 50 }), { instanceOf: DisconnectedError });
    await t.throwsAsync(a.flush(), { instanceOf: DisconnectedError });
    t.throws(() => a.subscribe('x', () => {}), { instanceOf: DisconnectedError });
    await a.close();
    t.is(seen.filter(status => status === 'closed').length, 1);
  });

  test.serial(`bus: close ends requests under way (${name})`, async t => {
    const world = await start(t);
    const [a, b] = [await world.connect(), await world.connect()];
    const got = await collect(b, 'deaf');
    const one = t.throwsAsync(a.request('deaf', bytes('?'), { timeoutMs: 600_000 }), { instanceOf: DisconnectedError });
    const many = t.throwsAsync(a.requestMany('deaf', bytes('?'), { waitMs: 600_000 }), {
      instanceOf: DisconnectedError,
    });
    await until(() => got.length === 2);
    await a.close();
    await Promise.all([one, many]);
  });

  test.serial(
    `bus: the server goes and returns: told, nothing sent meanwhile, subscriptions restored (${name})`,
    async t => {
      const world = await start(t);
      const [a, b] = [await world.connect(), await world.connect()];
      const seen = statuses(a);
      const got = await collect(b, 'x');
      await serve(b, 'echo');
      t.is(text((await a.request('echo', bytes('1'), { timeoutMs: 5000 })).data), 'echo 1');
      t.deepEqual(seen, ['connected']);

      await world.crash();
      await until(() => !a.connected && !b.connected);
      t.deepEqual(seen, ['connected', 'disconnected']);
      t.false(a.publish('x', bytes('lost')));
      await t.throwsAsync(a.request('echo', bytes('2'), { timeoutMs: 50 }), { instanceOf: DisconnectedError });
      await t.throwsAsync(a.flush(), { instanceOf: DisconnectedError });
      const meanwhile: string[] = [];
      b.subscribe('y', message => meanwhile.push(text(message.data)!));

      await world.restart();
      await until(() => a.connected && b.connected);
      t.deepEqual(seen, ['connected', 'disconnected', 'connected']);
      await b.flush();
      a.publish('x', bytes('back'));
      a.publish('y', bytes('made while away'));
      await until(() => got.length > 0 && meanwhile.length > 0);
      t.deepEqual(got, ['back']);
      t.is(text((await a.request('echo', bytes('3'), { timeoutMs: 5000 })).data), 'echo 3');
      t.is(a.maxPayloadBytes, 1024 * 1024);
    },
  );
}
