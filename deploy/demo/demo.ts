import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeError, type ClusterDocument, type QueryDocument, type StreamDocument } from '../../contracts/index.ts';
import { annotate } from '../annotate/index.ts';
import { applyFiles, deleteDocument } from '../apply/index.ts';
import { launchCluster, type ClusterEvent, type LaunchedCluster } from '../cluster/index.ts';
import { readDocuments } from '../documents/index.ts';
import { Director, until } from './director.ts';
import { Stage } from './stage.ts';
import { summarise, verdict, type Summary } from './summary.ts';
import { Tally } from './tally.ts';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const CLUSTER = 'examples/scoreboard/cluster.yaml';
const STREAMS = 'examples/scoreboard/streams.yaml';
const QUERY = 'scoreboard';
/** When what happens, as shares of the time that frames flow. */
const DRAIN_AT = 0.35;
const ADD_AT = 0.65;

const HELP = `npm run demo -- [options]

Two synthetic scoreboard broadcasts are read by real models on the CPU: PP-OCRv4 finds the texts, and three readers that were cut from its
recogniser (for scores, clocks and names) read them, in mixed batches behind the prefix that they share. A stream sampler, two query
routers, a prefix-batcher, two GPU hosts and two allocators, each a process of its own, meet on a nats-server. While frames flow, one
host is drained and another one added. Ends by itself.

  --seconds N   how long frames flow (default 60)
  --json FILE   write the summary there as JSON
  --out DIR     where the annotated frame goes (default demo-output)
  --plain       lines instead of the live view
  --help        this text

Exit code: 0 when no frame was lost and at least 95 % of the characters were read right; else 1.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '60' },
      json: { type: 'string' },
      out: { type: 'string', default: 'demo-output' },
      plain: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const seconds = Number(values.seconds);
  if (!(seconds >= 5 && seconds <= 3600)) {
    process.stderr.write(`--seconds: a number from 5 to 3600, got "${values.seconds}"\n`);
    return 2;
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'ganglion-demo-'));
  const stage = new Stage({ live: !values.plain && process.stdout.isTTY });
  let cluster: LaunchedCluster | undefined;
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Error('interrupted'));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    cluster = await openCluster(dataDir, event => stage.event(event));
    const summary = await Promise.race([
      perform(cluster, { seconds, outDir: resolve(values.out), stage }),
      new Promise<never>((_resolve, reject) =>
        interrupted.signal.addEventListener('abort', () => reject(interrupted.signal.reason)),
      ),
    ]);
    stage.end(summary, verdict(summary));
    if (values.json) await writeFile(values.json, `${JSON.stringify(summary, undefined, 2)}\n`);
    return verdict(summary).length === 0 ? 0 : 1;
  } catch (error) {
    stage.close();
    process.stderr.write(`demo: ${describeError(error)}\n`);
    return 1;
  } finally {
    await cluster?.close();
    stage.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function openCluster(dataDir: string, onEvent: (event: ClusterEvent) => void): Promise<LaunchedCluster> {
  const file = join(ROOT, CLUSTER);
  const { documents } = await readDocuments([file]);
  const document = documents[0]!.document as ClusterDocument;
  return launchCluster({ document, file, baseDir: dirname(file), dataDir, onEvent });
}

async function perform(
  cluster: LaunchedCluster,
  { seconds, outDir, stage }: { seconds: number; outDir: string; stage: Stage },
): Promise<Summary> {
  const { bus, prefix } = cluster;
  const streamsFile = join(ROOT, STREAMS);
  const streams = (await readDocuments([streamsFile])).documents.map(({ document }) => document as StreamDocument);
  const query = (await readDocuments([join(ROOT, 'examples/queries/scoreboard.yaml')])).documents[0]!
    .document as QueryDocument;
  const director = new Director(bus, prefix);
  const tally = new Tally(bus, prefix, streams);
  stage.watch(bus, prefix, tally);

  stage.say('measuring the models on this machine and making the first plan');
  await until('a plan that serves the query', () => director.serves(QUERY), 240_000);
  stage.say(`epoch ${director.plan!.epoch} is in force; the streams start`);
  await applyFiles(bus, [streamsFile], { prefix, tenant: 'default' });
  await until('the first answer', () => tally.answers > 0, 60_000);

  await sleep(seconds * DRAIN_AT * 1000);
  const leaving = director.busyHost();
  if (leaving) stage.say(`draining ${leaving}: ${await director.drain(leaving)}`);
  await sleep(seconds * (ADD_AT - DRAIN_AT) * 1000);
  const added = await cluster.add({
    actor: 'gpu-host',
    config: { profileSeconds: 4, device: { kind: 'onnx', providers: ['cpu'], threads: 1, memoryMB: 2048 } },
  });
  stage.say(`added ${added.join(', ')}`);
  await sleep(seconds * (1 - ADD_AT) * 1000);

  for (const { name } of streams) await deleteDocument(bus, 'Stream', name, { prefix, tenant: 'default' });
  stage.say('the streams are removed; waiting for the last answers');
  // What is still open after this has no outcome: it is lost, and says so in the summary.
  await until('every frame has its outcome', () => tally.open === 0, query.objectiveMs * 4 + 2000).catch(() => {});
  const { batches, mixed, granted, models } = director.ran;
  const each = (sum: number): number => (batches === 0 ? 0 : Math.round((100 * sum) / batches) / 100);
  return summarise(tally, {
    epochs: director.epochs,
    modelsMoved: director.modelsMoved,
    batches,
    mixedBatches: mixed,
    meanBatch: each(granted),
    modelsPerBatch: each(models),
    memorySavedMB: Math.round(director.saved.bytes / 1e6),
    objectiveMs: query.objectiveMs,
    seconds,
    annotatedFrame: await writeAnnotated(tally, outDir),
  });
}

async function writeAnnotated(tally: Tally, outDir: string): Promise<string | null> {
  if (!tally.lastGood) return null;
  const { frame, result } = tally.lastGood;
  await mkdir(outDir, { recursive: true });
  const path = join(outDir, 'annotated-frame.png');
  await writeFile(path, await annotate(frame.picture, result));
  return path;
}

process.exitCode = await main();
