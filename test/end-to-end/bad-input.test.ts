import { createConnection } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { headers, type NatsConnection } from 'nats';
import { decode, encode } from '../../bus/index.ts';
import { PICTURE_BYTES_MAX, subjects, type Result } from '../../contracts/index.ts';
import { applyFiles } from '../../deploy/apply/index.ts';
import { Cleanup } from './cleanup.ts';
import { jpeg, ONE_OF_EACH, ONNX, startCluster, type TestCluster } from './cluster.ts';
import { classifier, query, writeDocuments } from './models.ts';
import { plainClient, startServer } from './nats.ts';
import { cli } from './processes.ts';
import { until } from './until.ts';

/** Room for pictures beyond our own limit, so that it is ours that refuses them. */
const MAX_PAYLOAD = 10 * 1024 * 1024;
const START_MS = 120_000;

const cleanup = new Cleanup();
let cluster: TestCluster;
let picture: Uint8Array;
let client: NatsConnection;

test.before(async t => {
  t.timeout(START_MS);
  picture = await jpeg();
  const server = await startServer(cleanup, { config: `max_payload: ${MAX_PAYLOAD}\n` });
  client = await plainClient(cleanup, server.url);
  cluster = await startCluster(cleanup, {
    natsUrl: server.url,
    actors: ONE_OF_EACH.map(entry =>
      entry.actor === 'gpu-host'
        ? { ...entry, config: { ...ONNX, profileSeconds: 1 } }
        : entry.actor === 'allocator'
          ? { ...entry, config: { gatherMs: 500, epochMinMs: 500 } }
          : entry,
    ),
    documents: [classifier('direction'), query('good', { only: { model: 'direction' } })],
  });
  await cluster.serves('good', picture);
});
test.after.always(async t => {
  t.timeout(START_MS);
  await cleanup.run();
});
/** After each: the good query is answered by the same processes as before. */
test.afterEach.always(async t => {
  const result = await cluster.ask('good', { payload: { encoding: 'jpeg', data: picture } });
  t.regex(result.outcome, /^(ok|late)$/, 'the rest of the system carries on');
  t.deepEqual(
    cluster.launched.actors().map(({ name, restarts, state }) => `${name} ${state} ${restarts}`),
    ['router running 0', 'batcher running 0', 'gpu running 0', 'allocator running 0'],
  );
});

let latestSeq = 0;
/** Sends these bytes as a frame of a stream that the query `good` reads. @returns the outcome told on the bus */
async function sendRaw(stream: string, data: Uint8Array, seq?: number): Promise<Result> {
  const h = headers();
  if (seq !== undefined) h.set('seq', String(seq));
  client.publish(`ganglion.frames.default.${stream}`, data, { headers: h });
  return until(`${stream} has an outcome`, () => cluster.ledger.all(stream)[0], { state: () => cluster.story() });
}

const request = async (name: string, data: Uint8Array): Promise<unknown> =>
  decode(Uint8Array.from((await client.request(`ganglion.infer.default.${name}`, data, { timeout: 30_000 })).data));

test.serial('bad input: a truncated JPEG fails at the host with the reason, as a frame and as a request', async t => {
  const cut = (await jpeg(640, 480)).slice(0, 400);
  const frame = await sendRaw('good-truncated', encode({ v: 1, seq: 7, picture: { encoding: 'jpeg', data: cut } }));
  t.is(frame.outcome, 'failed');
  t.is(frame.seq, 7);
  t.is(frame.trouble?.reason, 'input');
  t.regex(frame.trouble!.detail, /stage only failed on host gpu: /);
  t.false(frame.trouble?.retryable);
  const bare = await sendRaw('good-truncated-bare', cut, 8);
  t.like(bare, { outcome: 'failed', seq: 8 });
  const asked = (await request('good', encode({ v: 1, payload: { encoding: 'jpeg', data: cut } }))) as Result;
  t.like(asked, { outcome: 'failed', trouble: { reason: 'input' } });
});

const readings: Record<string, { data: Uint8Array; reason: RegExp; says: RegExp }> = {
  'bytes that are no msgpack': {
    data: Uint8Array.of(0xc1, 0xff, 0x00, 0x13),
    reason: /^malformed$/,
    says: /ganglion\.(frames|infer)\.default\.\S+: /,
  },
  'a msgpack map that ends early': {
    data: encode({ v: 1, seq: 1, picture: { encoding: 'jpeg', data: new Uint8Array(64) } }).slice(0, 30),
    reason: /^malformed$/,
    says: /is not msgpack/,
  },
  'nothing at all': { data: new Uint8Array(0), reason: /^malformed$/, says: /ganglion\./ },
  'text in place of a picture': {
    data: encode({ v: 1, seq: 1, picture: 'x', payload: 'x' }),
    reason: /^malformed$/,
    says: /\/(picture|payload) /,
  },
  'a negative number of a frame, no payload': {
    data: encode({ v: 1, seq: -1, picture: { encoding: 'jpeg', data: new Uint8Array(8) } }),
    reason: /^malformed$/,
    says: /\/seq |payload/,
  },
  'an unknown encoding': {
    data: encode({
      v: 1,
      seq: 1,
      picture: { encoding: 'gif', data: new Uint8Array(8) },
      payload: { encoding: 'gif', data: new Uint8Array(8) },
    }),
    reason: /^malformed$/,
    says: /\/(picture|payload)/,
  },
  'a version of tomorrow': {
    data: encode({ v: 2, seq: 1 }),
    reason: /^unsupported-version$/,
    says: /version 2 is not understood here, this side speaks version 1/,
  },
};

for (const [situation, { data, reason, says }] of Object.entries(readings)) {
  test.serial(`bad input: ${situation}: rejected at the door with the reason, as a frame and as a request`, async t => {
    const stream = `good-bad-${++latestSeq}`;
    for (const result of [await sendRaw(stream, data), (await request('good', data)) as Result]) {
      t.is(result.outcome, 'rejected');
      t.is(result.trouble?.at, 'door');
      t.regex(result.trouble!.reason, reason);
      t.regex(result.trouble!.detail, says);
    }
  });
}

test.serial('bad input: an unknown query is rejected by name; a frame that nobody reads is nobody’s', async t => {
  const asked = await cluster.ask('nope', { payload: { encoding: 'jpeg', data: picture } });
  t.like(asked, { outcome: 'rejected', trouble: { at: 'door', reason: 'unknown-query' } });
  t.regex(asked.trouble!.detail, /tenant default has no query nope/);
  const told = await cli(cleanup, ['infer', 'nope', await saved('p.jpg', picture), '--nats', cluster.url]);
  t.is(told.code, 1);
  t.regex(told.out + told.err, /unknown-query|has no query nope/);
  cluster.publish('unread-1', 1, picture);
  cluster.publish('good-after', 1, picture);
  await cluster.ledger.result('good-after', 1);
  t.deepEqual(cluster.ledger.all('unread-1'), []);
});

test.serial(
  'bad input: a picture over our limit is rejected as too large, though the server would carry it',
  async t => {
    const large = new Uint8Array(PICTURE_BYTES_MAX + 1024);
    large.set(picture);
    const result = await sendRaw('good-large', encode({ v: 1, seq: 1, picture: { encoding: 'jpeg', data: large } }));
    t.like(result, { outcome: 'rejected', trouble: { at: 'door', reason: 'too-large' } });
    const told = await cli(cleanup, ['infer', 'good', await saved('large.jpg', large), '--nats', cluster.url]);
    t.is(told.code, 2);
    t.regex(told.err, new RegExp(`large.jpg: has ${large.byteLength} bytes, a picture may have ${PICTURE_BYTES_MAX}`));
  },
);

test.serial('bad input: over max_payload the sender is told, or cut off by the server if it does not ask', async t => {
  const huge = new Uint8Array(MAX_PAYLOAD + 1);
  t.throws(() => cluster.bus.publish('ganglion.frames.default.good-huge', huge), {
    message: /10485761 bytes exceed the limit of 10485760; send smaller pictures or raise the server's max_payload/,
  });
  const answer = await pushRaw(new URL(cluster.url), 'ganglion.frames.default.good-huge', huge.byteLength);
  t.regex(answer, /Maximum Payload Violation/i);
});

test.serial(
  'bad input: apply refuses a missing model file, and documents with mistakes, with file and line',
  async t => {
    const missing = { ...classifier('missing'), file: 'nowhere.onnx' };
    const file = await writeDocuments(cluster.folder, 'missing.yaml', [
      missing,
      query('m', { a: { model: 'missing' } }),
    ]);
    const told = await cli(cleanup, ['apply', '-f', file, '--nats', cluster.url]);
    t.is(told.code, 2);
    t.regex(told.err, /missing\.yaml:\d+: file: .*nowhere\.onnx/);
    t.regex(told.err, /nothing was changed/);
    t.is((await cluster.ask('m', { payload: { encoding: 'jpeg', data: picture } })).trouble?.reason, 'unknown-query');

    await writeFile(
      join(cluster.folder, 'typo.yaml'),
      'kind: Query\nname: typo\nobjectivMs: 5\nstages: { a: { model: direction } }\n',
    );
    const typo = await cli(cleanup, ['apply', '-f', join(cluster.folder, 'typo.yaml'), '--nats', cluster.url]);
    t.is(typo.code, 2);
    t.regex(typo.err, /typo\.yaml:3: objectivMs: .*\n.*did you mean "objectiveMs"/);
  },
);

/** Applies a model that can't work and a query on it; resolves with why it isn't served, once that names the model's trouble. */
async function whyNotServed(name: string, documents: readonly object[], says: RegExp): Promise<string> {
  await applyFiles(cluster.bus, [await writeDocuments(cluster.folder, `${name}.yaml`, documents)], {
    prefix: cluster.prefix,
  });
  let last = '';
  await until(
    `${name} is refused with the reason`,
    async () => {
      const { outcome, trouble } = await cluster.ask(name, { payload: { encoding: 'jpeg', data: picture } });
      last = `${outcome} ${trouble?.reason} at ${trouble?.at}: ${trouble?.detail}`;
      return says.test(last);
    },
    { limitMs: 90_000, state: () => `${last}\n${cluster.story()}` },
  );
  return last;
}

test.serial('bad input: a corrupt ONNX file is told by the host, and the query says so', async t => {
  t.timeout(START_MS);
  await saved(
    'corrupt.onnx',
    Uint8Array.from({ length: 5000 }, (_, i) => (i * 37) % 251),
  );
  const why = await whyNotServed(
    'corrupt',
    [{ ...classifier('broken'), file: 'corrupt.onnx' }, query('corrupt', { a: { model: 'broken' } })],
    /rejected not-serving at door: .*broken@[0-9a-f]{12}.*(protobuf|corrupt|ONNX|load)/is,
  );
  t.regex(why, /Failed to load model|protobuf/);
});

test.serial('bad input: wrong tensor names are told with the names that there are', async t => {
  t.timeout(START_MS);
  const why = await whyNotServed(
    'misnamed',
    [{ ...classifier('odd'), input: 'no-such-input' }, query('misnamed', { a: { model: 'odd' } })],
    /rejected not-serving at door: .*no-such-input/s,
  );
  t.regex(why, /there is no input "no-such-input"; it has x /);
  const output = await whyNotServed(
    'misnamed-out',
    [
      { ...classifier('odd-out'), postprocess: { kind: 'classes', output: 'no-such-output' } },
      query('misnamed-out', { a: { model: 'odd-out' } }),
    ],
    /rejected not-serving at door: .*no-such-output/s,
  );
  t.regex(output, /there is no output "no-such-output".*; it has softmax_0/);
});

test.serial('bad input: an objective that no device can meet is refused with what would be possible', async t => {
  t.timeout(START_MS);
  const why = await whyNotServed(
    'hasty',
    [classifier('direction'), query('hasty', { a: { model: 'direction' } }, { objectiveMs: 0.01 })],
    /rejected not-serving at door: .*\bms\b/s,
  );
  t.regex(why, /the objective of 0\.01 ms can't be met: .*the nearest objective that can is \d+ ms/);
});

test.serial('bad input: drain of a host that is not there, and of the last one, says so', async t => {
  const unknown = await cli(cleanup, ['drain', 'gpo', '--nats', cluster.url]);
  t.is(unknown.code, 1);
  t.regex(unknown.err, /host "?gpo"? does not exist/);
  const last = await cli(cleanup, ['drain', 'gpu', '--nats', cluster.url]);
  t.is(last.code, 1);
  t.regex(last.err, /--force drains it all the same/);
});

async function saved(name: string, data: Uint8Array): Promise<string> {
  const path = join(cluster.folder, name);
  await writeFile(path, data);
  return path;
}

/** Speaks NATS by hand, as a client that never asked for max_payload. @returns what the server said */
function pushRaw({ hostname, port }: URL, subject: string, bytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const socket = createConnection({ host: hostname, port: Number(port) }, () => {
      socket.write(`CONNECT {"verbose":false}\r\nPUB ${subject} ${bytes}\r\n`);
    });
    socket.on('data', chunk => (said += String(chunk)));
    socket.on('close', () => resolve(said));
    socket.on('error', reject);
  });
}

test.serial('bad input: junk on every inner subject is counted and logged once, not fatal', async t => {
  const { offers, verdicts, outlines, payloads, answers, progress, hostBeats, orders, plans } = subjects;
  const at = [
    offers.at('ganglion', { pool: 'pool-1' }),
    verdicts.at('ganglion', { router: 'router' }),
    outlines.at('ganglion', { host: 'gpu' }),
    payloads.at('ganglion', { host: 'gpu' }),
    answers.at('ganglion', { router: 'router' }),
    progress.at('ganglion', { batcher: 'batcher' }),
    hostBeats.at('ganglion', { host: 'gpu' }),
    orders.at('ganglion', { host: 'gpu' }),
    plans.at('ganglion'),
  ];
  for (const subject of at) {
    client.publish(subject, Uint8Array.of(0xc1));
    client.publish(subject, encode({ v: 1 }));
    client.publish(subject, encode([1, 'two', null]));
  }
  await client.flush();
  const stats = await until('the malformed messages are counted', async () => {
    const { data } = await client.request('$SRV.STATS.gpu-host', undefined, { timeout: 5000 });
    const told = JSON.parse(Buffer.from(data).toString()) as { endpoints: { subject: string; num_errors: number }[] };
    return told.endpoints.find(one => one.subject.endsWith('outlines.gpu') && one.num_errors >= 3);
  });
  t.true(stats.num_errors >= 3);
});
