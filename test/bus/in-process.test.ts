import fc from 'fast-check';
import test from 'ava';
import { createNetwork, decode, encode, subjectMatches, VirtualClock, type NetworkOptions } from '../../bus/index.ts';
import {
  NoResponderError,
  PayloadTooLargeError,
  RequestTimeoutError,
  seededRandom,
  StorageUnavailableError,
} from '../../contracts/index.ts';
import { RoutingTable } from '../../bus/in-process/routing.ts';
import { bytes, statuses, text } from './worlds.ts';

// What the in-process bus adds to the promises of contracts/bus.ts: time, faults, replay.

function world(options: Omit<NetworkOptions, 'clock'> = {}) {
  const clock = new VirtualClock();
  const network = createNetwork({ clock, ...options });
  return { clock, network, a: network.connect('a'), b: network.connect('b') };
}

test('in-process: messages take their latency, by link and subject', async t => {
  const { clock, a, b } = world({ latencyMs: (from, to, subject) => (from === 'a' && subject === 'slow' ? 30 : 2) });
  const got: string[] = [];
  for (const subject of ['slow', 'fast']) b.subscribe(subject, () => got.push(`${subject} ${clock.nowMs()}`));
  a.publish('fast', bytes(''));
  await clock.runFor(10);
  a.publish('slow', bytes(''));
  a.publish('fast', bytes(''));
  await clock.runFor(100);
  t.deepEqual(got, ['fast 2', 'slow 40', 'fast 40'], 'order between two clients is kept');
});

test('in-process: a publisher may go on with its buffer', async t => {
  const { clock, a, b } = world();
  const got: (string | undefined)[] = [];
  b.subscribe('x', message => got.push(text(message.data)));
  const buffer = bytes('first');
  const headers = { n: '1' };
  a.publish('x', buffer, { headers });
  buffer.fill(0);
  headers.n = '2';
  await clock.runFor(1);
  t.deepEqual(got, ['first']);
});

test('in-process: a link loses, doubles and delays what it is told to, one way', async t => {
  const { clock, network, a, b } = world({ latencyMs: 1 });
  const got: string[] = [];
  b.subscribe('x', message => got.push(`b ${text(message.data)} ${clock.nowMs()}`));
  a.subscribe('x', message => got.push(`a ${text(message.data)} ${clock.nowMs()}`));
  network.link = ({ from, to }) => (from === 'a' && to === 'b' ? [] : [1]);
  a.publish('x', bytes('1'));
  b.publish('x', bytes('2'));
  await clock.runFor(10);
  t.deepEqual(
    got.splice(0).sort((x, y) => x.localeCompare(y)),
    ['a 1 1', 'a 2 1', 'b 2 1'],
    'cut from a to b, nowhere else',
  );
  network.link = () => [5, 7];
  a.publish('x', bytes('3'));
  await clock.runFor(10);
  t.deepEqual(
    got.splice(0).filter(line => line.startsWith('b')),
    ['b 3 15', 'b 3 17'],
  );
  network.link = undefined;
  a.publish('x', bytes('4'));
  await clock.runFor(10);
  t.true(got.includes('b 4 21'));
});

test('in-process: a client that is cut off gets nothing, sends nothing, and is back with its subscriptions', async t => {
  const { clock, network, a, b } = world({ latencyMs: 5 });
  const seen = statuses(b);
  const got: string[] = [];
  b.subscribe('x', message => got.push(text(message.data)!));
  a.publish('x', bytes('under way'));
  await clock.runFor(1);
  network.disconnect('b');
  t.false(b.connected);
  t.false(b.publish('y', bytes('')));
  await t.throwsAsync(clock.settle(a.request('x', bytes('?'), { timeoutMs: 50 })), { instanceOf: NoResponderError });
  network.reconnect('b');
  a.publish('x', bytes('again'));
  await clock.runFor(20);
  t.deepEqual(got, ['again']);
  t.deepEqual(seen, ['connected', 'disconnected', 'connected']);
});

test('in-process: who was cut off stays so when the server comes back', async t => {
  const { network, a, b } = world();
  network.disconnect('b');
  network.stop();
  t.false(a.connected);
  network.start();
  t.true(a.connected);
  t.false(b.connected);
  network.reconnect('b');
  t.true(b.connected);
});

test('in-process: a lost answer makes the asker wait for its timeout', async t => {
  const { clock, network, a, b } = world({ latencyMs: 1 });
  b.subscribe('ask', message => void message.respond(bytes('yes')));
  network.link = ({ from }) => (from === 'b' ? [] : [1]);
  await t.throwsAsync(clock.settle(a.request('ask', bytes(''), { timeoutMs: 100 })), {
    instanceOf: RequestTimeoutError,
  });
  t.is(clock.nowMs(), 100);
  t.is(clock.pending(), 0);
});

test('in-process: what a slow reader owes is bounded', async t => {
  const { clock, a, b } = world({ latencyMs: 10, pendingBytesMax: 1000 });
  const seen = statuses(b);
  let got = 0;
  b.subscribe('x', () => got++);
  for (let i = 0; i < 15; i++) a.publish('x', new Uint8Array(100));
  await clock.runFor(100);
  t.is(got, 10);
  t.is(seen.filter(status => status === 'slow-consumer').length, 5);
  a.publish('x', new Uint8Array(100));
  await clock.runFor(100);
  t.is(got, 11);
});

test('in-process: storage can be away while messages go on, and watches catch up', async t => {
  const { clock, network, a, b } = world();
  const [mine, theirs] = [await a.keyValue('k'), await b.keyValue('k')];
  const told: string[] = [];
  await theirs.watch('>', entry => told.push(`${entry.key}=${text(entry.value)}`));
  network.storageAvailable = false;
  await t.throwsAsync(mine.put('x', bytes('1')), { instanceOf: StorageUnavailableError });
  t.true(a.publish('x', bytes('')));
  network.storageAvailable = true;
  network.disconnect('b');
  await mine.put('x', bytes('2'));
  await mine.put('x', bytes('3'));
  await clock.runFor(1);
  t.deepEqual(told, []);
  network.reconnect('b');
  await clock.runFor(1);
  t.deepEqual(told, ['x=3'], 'intermediate values may be missed, the latest not');
});

test('in-process: names are addresses, so two clients can not share one', async t => {
  const { network, a } = world();
  t.throws(() => network.connect('a'), { instanceOf: TypeError });
  await a.close();
  t.true(network.connect('a').connected);
  t.throws(() => network.disconnect('nobody'), { instanceOf: TypeError });
});

test('in-process: the same seed is the same run', async t => {
  const run = async (seed: number): Promise<string[]> => {
    const random = seededRandom(seed);
    const { clock, network, a, b } = world({ random });
    const trace: string[] = [];
    network.link = () => (random.next() < 0.2 ? [] : [random.next() * 10]);
    for (const bus of [a, b, network.connect('c')]) {
      bus.subscribe('work', message => trace.push(`${clock.nowMs()} ${text(message.data)}`), { queue: 'q' });
      bus.subscribe('echo', message => void message.respond(message.data));
    }
    for (let i = 0; i < 100; i++) {
      clock.after(random.next() * 100, () => a.publish('work', bytes(String(i))));
      clock.after(random.next() * 100, () => {
        a.request('echo', bytes(String(i)), { timeoutMs: 30 }).then(
          () => trace.push(`${clock.nowMs()} answered ${i}`),
          () => trace.push(`${clock.nowMs()} no answer ${i}`),
        );
      });
    }
    await clock.runUntilIdle();
    return trace;
  };
  const first = await run(7);
  t.true(first.length > 150);
  t.deepEqual(await run(7), first);
  t.notDeepEqual(await run(8), first);
});

test('in-process: the routing table finds what comparing every pattern would, through any changes', t => {
  const token = fc.constantFrom('a', 'b', 'c');
  const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map(tokens => tokens.join('.'));
  const pattern = fc
    .tuple(fc.array(fc.oneof(token, fc.constant('*')), { minLength: 1, maxLength: 3 }), fc.boolean())
    .map(([tokens, rest]) => [...tokens, ...(rest ? ['>'] : [])].join('.'));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(pattern, fc.boolean()), { maxLength: 12 }),
      fc.array(subject, { maxLength: 8 }),
      (patterns, subjects) => {
        const table = new RoutingTable<{ subject: string; queue: string | undefined }>();
        const all = patterns.map(([subject, stays]) => ({ subject, queue: undefined, stays }));
        for (const entry of all) table.add(entry);
        const check = (present: typeof all): void => {
          for (const subject of subjects) {
            const routed = new Set<object>(table.route(subject).plain);
            const expected = present.filter(entry => subjectMatches(entry.subject, subject));
            t.deepEqual(
              all.filter(entry => routed.has(entry)),
              expected,
            );
            t.is(routed.size, expected.length);
          }
        };
        check(all);
        for (const entry of all) if (!entry.stays) table.remove(entry);
        check(all.filter(entry => entry.stays));
      },
    ),
  );
  t.pass();
});

test('in-process: a value arrives as it is, and as bytes where somebody wants these', async t => {
  const { clock, network, a, b } = world({ values: true });
  const said = { v: 1, ids: [1, 2], data: bytes('picture') };
  const got: unknown[] = [];
  b.subscribe('x', message => got.push(message.value, decode(message.data)));
  t.true(a.valuesTo!('x')(said));
  await clock.runFor(1);
  t.is(got[0], said);
  t.deepEqual(got[1], { ...said, data: Buffer.from(said.data) });
  network.disconnect('a');
  t.false(a.valuesTo!('x')(said));
});

test('in-process: values have the size that they would have; too large is too large', async t => {
  const { clock, network, a, b } = world({ values: true, maxPayloadBytes: 2000 });
  const sizes: number[] = [];
  network.link = ({ bytes: size }) => (sizes.push(size), [0]);
  b.subscribe('x', () => {});
  for (const value of [
    { v: 1, text: 'a sentence of some length', flag: true },
    { ids: Array.from({ length: 200 }, (_, i) => 70_000 + i) },
    { list: Array.from({ length: 20 }, (_, i) => ({ name: `host-${i}`, ms: 1.5 })) },
    { data: new Uint8Array(1900) },
  ]) {
    a.valuesTo!('x')(value);
    await clock.runFor(5000);
    const [estimate, real] = [sizes.pop()!, encode(value).byteLength];
    t.true(estimate > 0.5 * real && estimate < 2 * real, `${estimate} for ${real}`);
  }
  t.throws(() => a.valuesTo!('x')({ data: new Uint8Array(2000) }), { instanceOf: PayloadTooLargeError });
});

test('in-process: where values are frozen, a change of what was published is an error', t => {
  const { a } = world({ values: 'frozen' });
  const said = { ids: [1] };
  a.valuesTo!('x')(said);
  t.throws(() => said.ids.push(2), { instanceOf: TypeError });
});
