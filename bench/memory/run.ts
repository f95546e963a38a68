/**
 * Whether memory grows: resident memory of every process at a steady rate, and a line through the second half of it.
 * `npm run bench:memory [-- --minutes 10 --rate 500 --kilobytes 30]`
 */
import { parseArgs } from 'node:util';
import type { ActorTask } from '../lib/actor-process.ts';
import { startCluster } from '../lib/cluster.ts';
import { emulatedModel, queryOf } from '../lib/documents.ts';
import { offerLoad } from '../lib/load.ts';
import { machine } from '../lib/machine.ts';
import { rssBytes } from '../lib/processes.ts';
import { quantile, slope, table } from '../lib/stats.ts';
import { picture, publishedTarget } from '../lib/targets.ts';

const QUERY = 'bench';
const OBJECTIVE_MS = 500;
const SAMPLE_MS = 2000;
const MB = 1e6;
/** Growth below this is within what a garbage collector's heap breathes. */
const GROWTH_MB_PER_HOUR_MAX = 60;
const ACTORS: readonly ActorTask[] = [
  { actor: 'query-router', name: 'router' },
  { actor: 'prefix-batcher', name: 'batcher' },
  { actor: 'gpu-host', name: 'gpu', config: { device: { kind: 'emulated', memoryMB: 4000 } } },
  { actor: 'allocator', name: 'allocator' },
];

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '500' },
    kilobytes: { type: 'string', default: '30' },
  },
});
const minutes = Number(values.minutes);
const rateHz = Number(values.rate);
const where = machine();
const documents =
  emulatedModel({ name: 'emulated', alphaMs: 0.2, betaMs: 3, batchMax: 16 }) +
  queryOf({ name: QUERY, model: 'emulated', objectiveMs: OBJECTIVE_MS, rateHz });
const cluster = await startCluster({ actors: ACTORS, documents, query: QUERY });
try {
  const target = await publishedTarget(cluster.url, QUERY, picture(Number(values.kilobytes) * 1000));
  const samples = new Map([...cluster.pids.keys()].map(name => [name, [] as [minute: number, mb: number][]]));
  const startMs = performance.now();
  const sampling = setInterval(() => {
    const minute = (performance.now() - startMs) / 60_000;
    for (const [name, pid] of cluster.pids) samples.get(name)!.push([minute, rssBytes(pid) / MB]);
  }, SAMPLE_MS);
  let sent = 0;
  let inTime = 0;
  // A minute at a time: the generator keeps each latency of a sample.
  for (let second = 0; second < minutes * 60; second += 60) {
    const seconds = Math.min(60, minutes * 60 - second);
    const sample = await offerLoad(target, { rateHz, seconds, objectiveMs: OBJECTIVE_MS });
    sent += sample.sent;
    inTime += sample.inTime * sample.sent;
  }
  clearInterval(sampling);
  await target.close();
  const rows = [...samples].map(([name, points]) => {
    const later = points.filter(([minute]) => minute >= minutes / 2);
    const at = (share: number) => points[Math.min(points.length - 1, Math.floor(share * points.length))]![1].toFixed(0);
    const perHour = 60 * slope(later);
    const middle = quantile(
      later.map(([, mb]) => mb),
      0.5,
    );
    return [
      name,
      at(0.1),
      at(0.5),
      at(1),
      middle.toFixed(0),
      perHour.toFixed(0),
      perHour <= GROWTH_MB_PER_HOUR_MAX ? 'no' : 'YES',
    ];
  });
  process.stdout.write(
    `Resident memory during ${minutes} minutes at ${rateHz} frames/s of ${values.kilobytes} KB over an emulated device; ` +
      `${sent} frames, ${((100 * inTime) / sent).toFixed(2)} % in time.\n${where}\n` +
      `MB after a tenth, half and all of the time; median and slope of a line through the second half, in MB/hour; ` +
      `"grows" above ${GROWTH_MB_PER_HOUR_MAX} MB/hour.\n\n` +
      `${table(['process', '10 %', '50 %', 'end', 'median', 'MB/hour', 'grows'], rows)}\n`,
  );
} finally {
  await cluster.close();
}
