/**
 * Whether actors stay responsive: the event-loop delay that each reports of itself while the GPU host's device runs batches of
 * about 100 ms (a real model, onnxruntime on the CPU) and payloads come in. `npm run bench:loop [-- --seconds 30]`
 */
import { parseArgs } from 'node:util';
import type { HostBeat } from '../../contracts/index.ts';
import type { ActorTask } from '../lib/actor-process.ts';
import { startCluster } from '../lib/cluster.ts';
import { exampleModel, queryOf } from '../lib/documents.ts';
import { offerLoad, saturate } from '../lib/load.ts';
import { machine } from '../lib/machine.ts';
import { photograph } from '../lib/pictures.ts';
import { median, table } from '../lib/stats.ts';
import { publishedTarget } from '../lib/targets.ts';

const QUERY = 'bench';
const MODEL = 'ppocr-det';
const BATCH_MAX = 2;
const OBJECTIVE_MS = 2000;
const AIM_MS = 10;
const ACTORS: readonly ActorTask[] = [
  { actor: 'query-router', name: 'router' },
  { actor: 'prefix-batcher', name: 'batcher' },
  { actor: 'gpu-host', name: 'gpu', config: { device: { kind: 'onnx', threads: 1 }, profileSeconds: 3 } },
  { actor: 'allocator', name: 'allocator' },
];

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '30' } } });
const where = machine();
const jpeg = await photograph(1280, 720);
const documents =
  (await exampleModel(MODEL, BATCH_MAX)) +
  queryOf({ name: QUERY, model: MODEL, objectiveMs: OBJECTIVE_MS, rateHz: 10 });
const cluster = await startCluster({ actors: ACTORS, documents, query: QUERY });
const delays = new Map<string, number[]>();
let measuring = false;
let device = { batches: 0, invocations: 0, busyMs: 0 };
cluster.onBeat((name, beat) => {
  if (name === 'gpu') device = beat as HostBeat;
  if (!measuring) return;
  const ofActor = delays.get(name) ?? [];
  ofActor.push(beat.loopDelayP99Ms);
  delays.set(name, ofActor);
});
try {
  const target = await publishedTarget(cluster.url, QUERY, jpeg);
  const capacityHz = await saturate(target, 4 * BATCH_MAX, 4);
  await new Promise(resolve => setTimeout(resolve, 2000));
  const before = device;
  measuring = true;
  const rateHz = 0.8 * capacityHz;
  const sample = await offerLoad(target, { rateHz, seconds: Number(values.seconds), objectiveMs: OBJECTIVE_MS });
  measuring = false;
  await new Promise(resolve => setTimeout(resolve, 1200));
  await target.close();
  const batches = device.batches - before.batches;
  const rows = [...delays].map(([name, p99s]) => [
    name,
    median(p99s).toFixed(1),
    Math.max(...p99s).toFixed(1),
    `${p99s.filter(ms => ms < AIM_MS).length} of ${p99s.length}`,
  ]);
  process.stdout.write(
    `Event-loop delay while ${MODEL} runs on the CPU: ${((device.busyMs - before.busyMs) / batches).toFixed(0)} ms a batch of ` +
      `${((device.invocations - before.invocations) / batches).toFixed(1)}, ${rateHz.toFixed(1)} frames/s ` +
      `of ${Math.round(jpeg.byteLength / 1000)} KB for ${values.seconds} s (80 % of what the device can), ` +
      `${(100 * sample.inTime).toFixed(1)} % in time.\n${where}\n` +
      `Each beat carries the 99th percentile since the beat before.\n\n` +
      `${table(['actor', 'median of p99, ms', 'largest p99, ms', `beats below ${AIM_MS} ms`], rows)}\n`,
  );
} finally {
  await cluster.close();
}
