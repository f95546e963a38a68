import { createServer } from 'node:net';
import { Worker } from 'node:worker_threads';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { connectNats, realClock } from '../../bus/index.ts';
import {
  ConfigError,
  DisconnectedError,
  RequestTimeoutError,
  StorageUnavailableError,
  type Log,
} from '../../contracts/index.ts';
import { startNatsServer } from '../../deploy/nats-server.ts';
import { startNats } from '../helpers/nats-server.ts';
import { bytes, collect, serve, statuses, text, until } from './worlds.ts';

// What only a real server can do to a bus.

function notes(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const note = (line: string, facts?: object): void => void lines.push(`${line} ${JSON.stringify(facts ?? {})}`);
  return { log: { debug: note, info: note, warn: note, error: note }, lines };
}

async function configFile(t: ExecutionContext, content: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'ganglion-conf-'));
  t.teardown(async () => rm(dir, { recursive: true, force: true }));
  const file = join(dir, 'nats.conf');
  await writeFile(file, content);
  return file;
}

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise(resolve => void server.close(resolve));
  return port;
}

test.serial('nats: connecting to nothing fails at once and says where and what to do', async t => {
  const url = `nats://127.0.0.1:${await freePort()}`;
  const error = await t.throwsAsync(connectNats({ servers: [url], name: 'a', clock: realClock }));
  t.true(error instanceof DisconnectedError);
  t.true(error?.message.includes(url));
  t.true(error?.message.includes('nats-server -js'));
});

test.serial('nats: who waits is connected when the server comes', async t => {
  const port = await freePort();
  const { log, lines } = notes();
  const connecting = connectNats({
    servers: [`nats://127.0.0.1:${port}`],
    name: 'a',
    clock: realClock,
    log,
    waitMs: Number.POSITIVE_INFINITY,
  });
  await until(() => lines.some(line => line.startsWith('waiting for NATS')));
  const dir = await mkdtemp(join(tmpdir(), 'ganglion-nats-'));
  const server = await startNatsServer({ port, storeDir: dir });
  t.teardown(async () => {
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  });
  const bus = await connecting;
  t.true(bus.connected);
  t.is(lines.filter(line => line.startsWith('waiting for NATS')).length, 1);
  await bus.close();
});

test.serial('nats: a refused login is a configuration error, waiting would not help', async t => {
  const conf = await configFile(t, 'authorization { user: sam, password: secret }\n');
  const server = await startNats(t, { args: ['-c', conf] });
  const wrong = server.connect({ user: 'sam', password: 'wrong', waitMs: Number.POSITIVE_INFINITY });
  const error = await t.throwsAsync(wrong, { instanceOf: ConfigError });
  t.true(error?.message.includes(server.url));
  t.true((await server.connect({ user: 'sam', password: 'secret' })).connected);
  await t.throwsAsync(server.connect({ credsFile: '/no/such.creds' }), { instanceOf: ConfigError });
});

test.serial("nats: the limit on payloads is the server's, also after it came back with another", async t => {
  const conf = await configFile(t, 'max_payload: 2048\n');
  const server = await startNats(t, { args: ['-c', conf] });
  const bus = await server.connect();
  t.is(bus.maxPayloadBytes, 2048);
  await writeFile(conf, 'max_payload: 4096\n');
  await server.crash();
  await until(() => !bus.connected);
  t.is(bus.maxPayloadBytes, 2048);
  await server.restart();
  await until(() => bus.connected);
  t.is(bus.maxPayloadBytes, 4096);
  t.true(bus.publish('x', new Uint8Array(4096)));
});

test.serial('nats: a frozen server makes a request time out, and it goes on when the server does', async t => {
  const server = await startNats(t);
  const [a, b] = [await server.connect(), await server.connect()];
  await serve(b, 'echo');
  await server.pause();
  await t.throwsAsync(a.request('echo', bytes('1'), { timeoutMs: 100 }), { instanceOf: RequestTimeoutError });
  server.resume();
  t.is(text((await a.request('echo', bytes('2'), { timeoutMs: 10_000 })).data), 'echo 2');
});

test.serial('nats: a frozen server is noticed as gone', async t => {
  const server = await startNats(t);
  const bus = await server.connect({ pingMs: 100 });
  const seen = statuses(bus);
  await server.pause();
  await until(() => seen.includes('disconnected'));
  t.false(bus.publish('x', bytes('')));
  server.resume();
  await until(
    () => seen.at(-1) === 'connected' && seen.length === 3,
    () => seen,
  );
});

test.serial('nats: closing and draining while the server is away end at once', async t => {
  const server = await startNats(t);
  const [a, b] = [await server.connect(), await server.connect()];
  b.subscribe('x', () => {});
  const subscription = a.subscribe('x', () => {});
  await server.crash();
  await until(() => !a.connected && !b.connected);
  await subscription.drain();
  await a.close();
  await b.drain();
  t.false(a.connected || b.connected);
});

test.serial('nats: a server without JetStream has no buckets, and the error says so', async t => {
  const conf = await configFile(t, 'accounts { A: { users: [{ user: a, password: a }] } }\nno_auth_user: a\n');
  const server = await startNats(t, { args: ['-c', conf] });
  const bus = await server.connect({ storageTimeoutMs: 2000 });
  const error = await t.throwsAsync(bus.keyValue('things'), { instanceOf: StorageUnavailableError });
  t.regex(error?.message ?? '', /things.*JetStream/i);
  await t.throwsAsync(bus.objectStore('things'), { instanceOf: StorageUnavailableError });
});

test.serial('nats: a handler that throws is logged and harms nobody', async t => {
  const server = await startNats(t);
  const { log, lines } = notes();
  const bus = await server.connect({ log });
  bus.subscribe('x', () => {
    throw new Error('oh no');
  });
  const got = await collect(bus, 'x');
  bus.publish('x', bytes('1'));
  bus.publish('x', bytes('2'));
  await until(() => got.length === 2);
  t.true(bus.connected);
  t.is(lines.filter(line => line.includes('oh no')).length, 2);
});

test.serial('nats: a forbidden subject is logged by name', async t => {
  const conf = await configFile(
    t,
    'authorization { users: [{ user: a, password: a, permissions: { publish: ["ok.>"], subscribe: ["ok.>", "_INBOX.>"] } }] }\n',
  );
  const server = await startNats(t, { args: ['-c', conf] });
  const { log, lines } = notes();
  const bus = await server.connect({ user: 'a', password: 'a', log });
  bus.subscribe('secret.plans', () => {});
  bus.publish('secret.orders', bytes(''));
  await until(() => ['secret.plans', 'secret.orders'].every(subject => lines.some(line => line.includes(subject))));
  const got = await collect(bus, 'ok.x');
  bus.publish('ok.x', bytes('1'));
  await until(() => got.length === 1);
  t.deepEqual(got, ['1'], 'what is allowed goes on');
});

test.serial('nats: a reader that is too slow is cut off, comes back, and the log hints at it', async t => {
  // Just above max_payload, so that little is enough.
  const conf = await configFile(t, 'max_pending: 1100000\n');
  const server = await startNats(t, { args: ['-c', conf] });
  const { log, lines } = notes();
  const bus = await server.connect({ log });
  const seen = statuses(bus);
  const done = new Int32Array(new SharedArrayBuffer(4));
  let got = 0;
  bus.subscribe('flood', () => {
    // The first message blocks this thread until the other has published all.
    if (got++ === 0) Atomics.wait(done, 0, 0, 15_000);
  });
  await bus.flush();
  const flood = new Worker(new URL('./flood.js', import.meta.url), {
    workerData: { url: server.url, subject: 'flood', messages: 400, bytes: 100_000, done },
  });
  t.teardown(async () => flood.terminate());
  await until(
    () => seen.filter(status => status === 'connected').length === 2,
    () => seen,
  );
  t.deepEqual(seen, ['connected', 'disconnected', 'connected']);
  t.true(got < 400, 'messages were lost');
  t.true(lines.some(line => line.includes('Slow Consumer')));
  const after = await collect(bus, 'later');
  bus.publish('later', bytes('1'));
  await until(() => after.length === 1);
});

test.serial("nats: an object whose content doesn't match its digest is not handed out", async t => {
  const server = await startNats(t);
  const bus = await server.connect();
  const store = await bus.objectStore('models');
  let meta: { subject: string; text: string } | undefined;
  bus.subscribe('$O.models.M.*', message => (meta ??= { subject: message.subject, text: text(message.data)! }));
  await store.put('m', bytes('content'));
  await until(() => meta !== undefined);
  const wrong = {
    ...(JSON.parse(meta!.text) as object),
    digest: `SHA-256=${Buffer.alloc(32, 1).toString('base64url')}`,
  };
  bus.publish(meta!.subject, bytes(JSON.stringify(wrong)));
  await bus.flush();
  const error = await t.throwsAsync(store.get('m'), { instanceOf: StorageUnavailableError });
  t.regex(error?.message ?? '', /digest/);
});

test.serial('nats: an object whose chunks are gone fails instead of waiting for ever', async t => {
  const server = await startNats(t);
  const bus = await server.connect({ storageTimeoutMs: 300 });
  const store = await bus.objectStore('models');
  let meta: { subject: string; text: string } | undefined;
  bus.subscribe('$O.models.M.*', message => (meta ??= { subject: message.subject, text: text(message.data)! }));
  await store.put('m', bytes('content'));
  await until(() => meta !== undefined);
  bus.publish(meta!.subject, bytes(JSON.stringify({ ...(JSON.parse(meta!.text) as object), nuid: 'no-such-chunks' })));
  await bus.flush();
  await t.throwsAsync(store.get('m'), { instanceOf: StorageUnavailableError, message: /0 of 7 bytes/ });
});

test.serial("nats-server: a port in use is an error with the server's own words", async t => {
  const server = await startNats(t);
  const dir = await mkdtemp(join(tmpdir(), 'ganglion-nats-'));
  t.teardown(async () => rm(dir, { recursive: true, force: true }));
  const error = await t.throwsAsync(startNatsServer({ port: Number(new URL(server.url).port), storeDir: dir }), {
    instanceOf: ConfigError,
  });
  t.regex(error?.message ?? '', /address already in use/);
  t.regex(error?.message ?? '', /is port \d+ in use/);
});

test.serial('nats-server: a binary that is none is an error that names it', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'ganglion-nats-'));
  t.teardown(async () => rm(dir, { recursive: true, force: true }));
  const error = await t.throwsAsync(startNatsServer({ binary: '/no/such/nats-server', storeDir: dir }), {
    instanceOf: ConfigError,
  });
  t.true(error?.message.includes('/no/such/nats-server'));
});
