import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { headers, RequestStrategy, type NatsConnection } from 'nats';
import type { Plan, Result } from '../../contracts/index.ts';
import { Cleanup } from './cleanup.ts';
import { jpeg, startCluster, type TestCluster } from './cluster.ts';
import { plainClient } from './nats.ts';
import { ROOT, start, type Program } from './processes.ts';
import { until } from './until.ts';

const START_MS = 180_000;
const CLIENTS = join(ROOT, 'examples/clients');

const cleanup = new Cleanup();
let cluster: TestCluster;
let client: NatsConnection;
let picture: Uint8Array;
let file: string;

test.before(async t => {
  t.timeout(START_MS);
  picture = await jpeg();
  cluster = await startCluster(cleanup);
  client = await plainClient(cleanup, cluster.url);
  file = join(cluster.folder, 'picture.jpg');
  await writeFile(file, picture);
  await cluster.serves('watch', picture);
});
test.after.always(async t => {
  t.timeout(START_MS);
  await cleanup.run();
});

const asking = (name: string, value: string) => {
  const h = headers();
  h.set(name, value);
  return h;
};

test('clients: plain NATS: bare bytes of a picture and the header accept give JSON', async t => {
  const message = await client.request('ganglion.infer.default.watch', picture, {
    timeout: 30_000,
    headers: asking('accept', 'application/json'),
  });
  const result = JSON.parse(message.string()) as Result;
  t.like(result, { v: 1, query: 'watch', outcome: 'ok', emulated: true });
  t.deepEqual(Object.keys(result.stages), ['find', 'look']);
});

test('clients: plain NATS: JSON that is no request is answered in JSON, with what is wrong', async t => {
  const data = Buffer.from(picture).toString('base64');
  const wrong: Record<string, RegExp> = {
    '{"v":1,"payload":5}': /\/payload must be object/,
    '{"v":1,': /JSON/,
    // Pictures travel as bare bytes or in msgpack: a third more bytes for each would be no service.
    [JSON.stringify({ v: 1, payload: { encoding: 'jpeg', data } })]: /\/payload\/data must be binary/,
  };
  for (const [text, says] of Object.entries(wrong)) {
    const message = await client.request('ganglion.infer.default.watch', text, { timeout: 30_000 });
    const result = JSON.parse(message.string()) as Result;
    t.like(result, { outcome: 'rejected', trouble: { at: 'door', reason: 'malformed' } });
    t.regex(result.trouble!.detail, says);
  }
});

test('clients: plain NATS: bare bytes as a frame, numbered by a header; the plan as JSON', async t => {
  client.publish('ganglion.frames.default.watch-bare', picture, { headers: asking('seq', '42') });
  t.like(await cluster.ledger.result('watch-bare', 42), { outcome: 'ok', seq: 42 });
  const { plan } = JSON.parse(
    (await client.request('ganglion.control.plan', '{"v":1}', { timeout: 5_000 })).string(),
  ) as {
    plan: Plan;
  };
  t.is(plan.queries[0]?.query, 'watch');
});

test('clients: discovery: each actor answers ping, info and stats as micro-services do', async t => {
  const services = client.services.client({
    strategy: RequestStrategy.Count,
    maxWait: 5_000,
    maxMessages: 4,
  });
  const collect = async <T>(answers: Promise<AsyncIterable<T>>): Promise<T[]> => {
    const all: T[] = [];
    for await (const one of await answers) all.push(one);
    return all;
  };
  const byName = <T extends { name: string }>(all: T[]): Map<string, T> => new Map(all.map(one => [one.name, one]));
  const names = ['allocator', 'gpu-host', 'prefix-batcher', 'query-router'];
  const pings = byName(await collect(services.ping()));
  t.deepEqual([...pings.keys()].sort(), names);
  for (const ping of pings.values()) t.regex(ping.version, /^\d+\.\d+\.\d+/);
  const infos = byName(await collect(services.info()));
  t.deepEqual([...infos.keys()].sort(), names);
  const router = infos.get('query-router')!;
  t.is(router.id, 'router');
  t.true(router.endpoints.some(({ subject }) => subject === 'ganglion.infer.*.*'));
  t.true(router.description.length > 0);
  const stats = byName(await collect(services.stats()));
  t.deepEqual([...stats.keys()].sort(), names);
  const infer = stats.get('query-router')!.endpoints!.find(({ subject }) => subject === 'ganglion.infer.*.*')!;
  t.true(infer.num_requests > 0);
  t.true(Number.isInteger(infer.processing_time), 'whole nanoseconds, as the schema wants');
  const one = await client.request('$SRV.INFO.gpu-host.gpu', undefined, { timeout: 5_000 });
  t.like(JSON.parse(one.string()), { type: 'io.nats.micro.v1.info_response', name: 'gpu-host', id: 'gpu' });
});

test('clients: JavaScript: a frame and its result; a stream that nobody reads is told', async t => {
  t.timeout(START_MS);
  const script = join(CLIENTS, 'javascript/client.mjs');
  const told = await start(cleanup, process.execPath, [script, file, 'watch-js', cluster.url]).exited;
  t.is(told.code, 0, told.err);
  t.regex(told.out, /^watch: ok after \d+\.\d ms\n  find: /);
  const alone = await start(cleanup, process.execPath, [script, file, 'nobody', cluster.url]).exited;
  t.is(alone.code, 1);
  t.regex(alone.err, /no result within 10 s.*does a query read stream nobody\?/);
  const nowhere = await start(cleanup, process.execPath, [script, file, 'watch-js', 'nats://127.0.0.1:1']).exited;
  t.is(nowhere.code, 1);
  t.regex(nowhere.err, /^no NATS at nats:\/\/127\.0\.0\.1:1: .*\n$/);
});

/** A Python with the client's requirements, or why there is none. */
async function python(): Promise<{ python: string } | { missing: string }> {
  const folder = await cleanup.folder();
  const venv = await start(cleanup, 'python3', ['-m', 'venv', folder]).exited;
  if (venv.code !== 0) return { missing: `no Python with venv: ${venv.err || venv.out}` };
  const bin = ['bin', 'Scripts'].map(name => join(folder, name)).find(path => existsSync(path))!;
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r'];
  const pip = await start(cleanup, join(bin, 'python'), [...install, join(CLIENTS, 'python/requirements.txt')]).exited;
  if (pip.code !== 0) return { missing: `its requirements could not be installed: ${pip.err.slice(-500)}` };
  return { python: join(bin, 'python') };
}

test('clients: Python: a frame, a question, following a query; troubles in words', async t => {
  t.timeout(START_MS);
  const found = await python();
  if ('missing' in found) {
    t.log(`skipped: ${found.missing}`);
    t.pass();
    return;
  }
  const run = (...args: string[]): Program =>
    start(cleanup, found.python, [join(CLIENTS, 'python/ganglion_client.py'), ...args, '--nats', cluster.url]);

  const frame = await run('frame', '--stream', 'watch-python', '--seq', '7', file).exited;
  t.is(frame.code, 0, frame.err);
  t.regex(frame.out, /^ok +\d+\.\d ms .*\d+ boxes by find/);
  t.like(cluster.ledger.of('watch-python', 7)[0], { outcome: 'ok', meta: { camera: 'watch-python' } });

  const infer = await run('infer', '--query', 'watch', file).exited;
  t.is(infer.code, 0, infer.err);
  t.regex(infer.out, /^ok /);
  const unknown = await run('infer', '--query', 'nope', file).exited;
  t.is(unknown.code, 1);
  t.regex(unknown.out, /^rejected .*door: tenant default has no query nope/);

  const follower = run('follow', '--query', 'watch', '--count', '3', '--timeout', '30');
  let ended = false;
  void follower.exited.then(() => (ended = true));
  const flow = cluster.flow('watch-followed', picture);
  await until('the follower has seen enough', () => ended, { state: follower.err });
  flow.stop();
  const followed = await follower.exited;
  t.is(followed.code, 0, followed.err);
  t.regex(followed.out, /^(watch-\w+ #\d+: ok .*\n){3}$/);

  const silent = await run('follow', '--query', 'nope', '--count', '1', '--timeout', '0.5').exited;
  t.is(silent.code, 1);
  t.notRegex(silent.err, /Traceback/);
  const alone = await run('frame', '--stream', 'nobody', '--timeout', '0.5', file).exited;
  t.is(alone.code, 1);
  t.regex(alone.err, /does a query read stream nobody\?/);
  const nowhere = await start(cleanup, found.python, [
    join(CLIENTS, 'python/ganglion_client.py'),
    'infer',
    file,
    '--nats',
    'nats://127.0.0.1:1',
  ]).exited;
  t.is(nowhere.code, 1);
  t.regex(nowhere.err, /no NATS at nats:\/\/127\.0\.0\.1:1/);
  t.notRegex(nowhere.err, /Traceback/);
});
