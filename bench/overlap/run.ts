/**
 * What it is worth to prepare payloads while the device runs: requests per second that a host completes, preparing on arrival and
 * preparing when the batch starts. `npm run bench:overlap [-- --passes 3 --seconds 8]`
 */
import { parseArgs } from 'node:util';
import type { ActorTask } from '../lib/actor-process.ts';
import { startCluster } from '../lib/cluster.ts';
import type { DeviceKind } from '../lib/devices.ts';
import { emulatedModel, exampleModel, queryOf } from '../lib/documents.ts';
import { saturate } from '../lib/load.ts';
import { machine } from '../lib/machine.ts';
import { photograph } from '../lib/pictures.ts';
import { spread, table } from '../lib/stats.ts';
import { publishedTarget } from '../lib/targets.ts';
import { decode } from '../../gpu-host/index.ts';

const BATCH_MAX = 8;
/** Four batches under way: the device never lacks payloads. */
const WINDOW = 4 * BATCH_MAX;
const OBJECTIVE_MS = 10_000;
const QUERY = 'bench';

interface Case {
  readonly title: string;
  readonly model: string;
  readonly documents: string;
  readonly device: DeviceKind;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly jpeg: Uint8Array;
}

const { values } = parseArgs({
  options: { passes: { type: 'string', default: '3' }, seconds: { type: 'string', default: '8' } },
});
const seconds = Number(values.seconds);

/** What decoding one of many pictures costs, ms, as many at once as a batch has. */
async function decodeMs(jpeg: Uint8Array): Promise<number> {
  const many = () => Promise.all(Array.from({ length: BATCH_MAX }, () => decode({ encoding: 'jpeg', data: jpeg })));
  await many();
  const rounds = 10;
  const startMs = performance.now();
  for (let i = 0; i < rounds; i++) await many();
  return (performance.now() - startMs) / rounds / BATCH_MAX;
}

async function cases(): Promise<Case[]> {
  const large = await photograph(1280, 720);
  const small = await photograph(640, 360);
  const perItemMs = await decodeMs(large);
  const emulated = { kind: 'emulated', memoryMB: 4000 };
  const onnx = { kind: 'onnx', threads: 1 };
  const real = async (name: string, jpeg: Uint8Array, size: string): Promise<Case> => ({
    title: `${name}, onnxruntime CPU, JPEG ${size}`,
    model: name,
    documents: await exampleModel(name, BATCH_MAX),
    device: 'usual',
    settings: onnx,
    jpeg,
  });
  return [
    {
      title: `emulated run of ${perItemMs.toFixed(1)} ms per input, as long as its decoding, JPEG 1280×720`,
      model: 'balanced',
      documents: emulatedModel({ name: 'balanced', alphaMs: perItemMs, betaMs: 0.1, batchMax: BATCH_MAX }),
      device: 'decoding',
      settings: emulated,
      jpeg: large,
    },
    await real('ppocr-direction', small, '640×360'),
    await real('ppocr-rec', large, '1280×720'),
  ];
}

/** @returns requests per second */
async function throughput({ model, documents, device, settings, jpeg }: Case, overlap: boolean): Promise<number> {
  const actors: ActorTask[] = [
    { actor: 'query-router', name: 'router' },
    { actor: 'prefix-batcher', name: 'batcher' },
    { actor: 'gpu-host', name: 'gpu', device, config: { device: settings, overlap, profileSeconds: 3 } },
    { actor: 'allocator', name: 'allocator' },
  ];
  const query = queryOf({ name: QUERY, model, objectiveMs: OBJECTIVE_MS, rateHz: 10 });
  const cluster = await startCluster({ actors, documents: `${documents}${query}`, query: QUERY });
  try {
    const target = await publishedTarget(cluster.url, QUERY, jpeg);
    await saturate(target, WINDOW, 3);
    const rateHz = await saturate(target, WINDOW, seconds);
    await target.close();
    return rateHz;
  } finally {
    await cluster.close();
  }
}

const where = machine();
const rows: string[][] = [];
for (const one of await cases()) {
  const withIt: number[] = [];
  const without: number[] = [];
  for (let pass = 0; pass < Number(values.passes); pass++) {
    withIt.push(await throughput(one, true));
    without.push(await throughput(one, false));
    process.stderr.write(`${one.title}: ${withIt.at(-1)!.toFixed(0)}/s, without ${without.at(-1)!.toFixed(0)}/s\n`);
  }
  const gain = withIt.map((rateHz, i) => rateHz / without[i]!);
  rows.push([one.title, spread(withIt, 0), spread(without, 0), spread(gain)]);
}
process.stdout.write(
  `Requests per second of one host, ${WINDOW} under way, batches up to ${BATCH_MAX}; median (range) of ${values.passes} passes.\n` +
    `${where}\n\n${table(['case', 'overlap /s', 'without /s', 'gain'], rows)}\n`,
);
