/**
 * What the path costs: frames in, results out, over a device that takes no time, beside plain nats.js request/reply with the same
 * payload in the same run. Every actor is a process of its own, as in real life; the load comes from this process.
 *
 *   npm run bench:path [-- --sizes 1,30,100 --passes 3 --seconds 2 --tries 4 --profile DIR]
 */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { ActorTask } from '../lib/actor-process.ts';
import { Calm } from '../lib/calm.ts';
import { startCluster } from '../lib/cluster.ts';
import { emulatedModel, queryOf } from '../lib/documents.ts';
import { hotSpots } from '../lib/hot-spots.ts';
import { findGoodput, offerLoad, saturate, type LoadTarget, type Sample } from '../lib/load.ts';
import { machine } from '../lib/machine.ts';
import { median, spread, table } from '../lib/stats.ts';
import { embeddedTarget, picture, plainTarget, publishedTarget } from '../lib/targets.ts';

const OBJECTIVE_MS = 50;
/**
 * Batches large enough that not the round trip of a grant but the processors bound the rate, and no larger than what can be carried
 * well within the objective: by the largest payload, bytes.
 */
const WORKLOADS = [
  { query: 'small', batchMax: 256, bytesMax: 10_000 },
  { query: 'large', batchMax: 64, bytesMax: Infinity },
] as const;
const queryFor = (bytes: number): string => WORKLOADS.find(({ bytesMax }) => bytes <= bytesMax)!.query;
const DOCUMENTS = WORKLOADS.map(
  ({ query, batchMax }) =>
    emulatedModel({ name: query, alphaMs: 0.0001, betaMs: 0.01, batchMax }) +
    queryOf({ name: query, model: query, objectiveMs: OBJECTIVE_MS, rateHz: 3000 }),
).join('---\n');
const ACTORS: readonly ActorTask[] = [
  { actor: 'query-router', name: 'router', config: { inFlightMax: 100_000 } },
  { actor: 'prefix-batcher', name: 'batcher' },
  { actor: 'gpu-host', name: 'gpu', config: { device: { kind: 'emulated', memoryMB: 4000 } }, device: 'instant' },
  { actor: 'allocator', name: 'allocator' },
];

const TARGETS = {
  plain: (url: string, data: Uint8Array) => plainTarget(url, data),
  published: (url: string, data: Uint8Array) => publishedTarget(url, queryFor(data.byteLength), data),
  embedded: (url: string, data: Uint8Array) => embeddedTarget(url, queryFor(data.byteLength), data),
} as const;
type Kind = keyof typeof TARGETS;
const KINDS = Object.keys(TARGETS) as Kind[];

interface Pass {
  readonly kilobytes: number;
  readonly peak: Readonly<Record<Kind, Sample>>;
  /** At 30 % of the peak of the published path. */
  readonly low: Readonly<Record<Kind, Sample>>;
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    passes: { type: 'string', default: '3' },
    sizes: { type: 'string', default: '1,30,100' },
    profile: { type: 'string' },
    tries: { type: 'string', default: '4' },
    verbose: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function onePass(url: string, kilobytes: number): Promise<Pass> {
  const bytes = kilobytes * 1000;
  const data = picture(bytes);
  const window = Math.max(16, Math.min(256, Math.round(4e6 / bytes)));
  const peak: Partial<Record<Kind, Sample>> = {};
  const low: Partial<Record<Kind, Sample>> = {};
  const using = async (kind: Kind, measure: (target: LoadTarget) => Promise<void>): Promise<void> => {
    const target = await TARGETS[kind](url, data);
    await offerLoad(target, { rateHz: 6e7 / (bytes + 2e4), seconds: 2, objectiveMs: OBJECTIVE_MS }); // warm up
    await measure(target);
    await target.close();
  };
  for (const kind of KINDS) {
    await using(kind, async target => {
      const found = await findGoodput(target, {
        fromHz: peak.plain ? peak.plain.rateHz : await calm.measure(() => saturate(target, window, 2)),
        measure: work => calm.measure(work),
        seconds,
        objectiveMs: OBJECTIVE_MS,
        ...(values.verbose ? { onSample: sample => say(describe(kind, sample)) } : {}),
      });
      if (!found) throw new Error(`${kind}: no rate at all was served in time at ${kilobytes} KB`);
      peak[kind] = found;
    });
  }
  const rateHz = 0.3 * peak.published!.rateHz;
  for (const kind of KINDS) {
    await using(kind, async target => {
      low[kind] = await calm.measure(() => offerLoad(target, { rateHz, seconds, objectiveMs: OBJECTIVE_MS }));
    });
  }
  return { kilobytes, peak: peak as Pass['peak'], low: low as Pass['low'] };
}

const describe = (kind: Kind, { rateHz, inTime, p50Ms, p99Ms }: Sample): string =>
  `  ${kind}: ${Math.round(rateHz)}/s ${(100 * inTime).toFixed(1)} % in time, p50 ${p50Ms.toFixed(2)} p99 ${p99Ms.toFixed(1)} ms`;

function report(passes: readonly Pass[]): string {
  const sizes = [...new Set(passes.map(({ kilobytes }) => kilobytes))];
  const rows = (of: (at: readonly Pass[]) => string[]) =>
    sizes.map(size => [`${size} KB`, ...of(passes.filter(({ kilobytes }) => kilobytes === size))]);
  const rates = table(
    ['payload', 'plain /s', '(a) published /s', '(b) embedded /s', '(a) / plain', '(b) / plain'],
    rows(at => [
      ...KINDS.map(kind =>
        spread(
          at.map(({ peak }) => peak[kind].rateHz),
          0,
        ),
      ),
      spread(at.map(({ peak }) => peak.published.rateHz / peak.plain.rateHz)),
      spread(at.map(({ peak }) => peak.embedded.rateHz / peak.plain.rateHz)),
    ]),
  );
  const added = (at: readonly Pass[], kind: Kind, of: 'p50Ms' | 'p99Ms') =>
    spread(at.map(({ low }) => low[kind][of] - low.plain[of]));
  const trips = (at: readonly Pass[], kind: Kind) =>
    median(at.map(({ low }) => (low[kind].p50Ms - low.plain.p50Ms) / low.plain.p50Ms)).toFixed(1);
  const latencies = table(
    ['payload', 'rate /s', 'plain p50', '(a) + p50', '(a) + p99', '(a) trips', '(b) + p50', '(b) + p99', '(b) trips'],
    rows(at => [
      spread(
        at.map(({ low }) => low.plain.rateHz),
        0,
      ),
      spread(at.map(({ low }) => low.plain.p50Ms)),
      added(at, 'published', 'p50Ms'),
      added(at, 'published', 'p99Ms'),
      trips(at, 'published'),
      added(at, 'embedded', 'p50Ms'),
      added(at, 'embedded', 'p99Ms'),
      trips(at, 'embedded'),
    ]),
  );
  return `${rates}\n\nAdded latency, ms, at 30 % of the peak of (a); trips: added p50 in plain round trips at that load.\n\n${latencies}`;
}

const profileDir = values.profile === undefined ? undefined : resolve(values.profile);
if (profileDir !== undefined) await mkdir(profileDir, { recursive: true });
const where = machine();
const cluster = await startCluster({ actors: ACTORS, documents: DOCUMENTS, query: WORKLOADS[0].query, profileDir });
const calm = new Calm(() => cluster.pids.values(), Number(values.tries));
const passes: Pass[] = [];
try {
  await cluster.helper(fileURLToPath(new URL('./echo.js', import.meta.url)), [cluster.url]);
  for (let pass = 1; pass <= Number(values.passes); pass++) {
    for (const kilobytes of values.sizes.split(',').map(Number)) {
      const done = await onePass(cluster.url, kilobytes);
      passes.push(done);
      say(`${kilobytes} KB, pass ${pass}`);
      for (const kind of KINDS) say(`${describe(kind, done.peak[kind])}; at 30 %${describe(kind, done.low[kind])}`);
    }
  }
} finally {
  await cluster.close();
}
process.stdout.write(
  `Path over an emulated device that takes no time; 99 % back in ${OBJECTIVE_MS} ms; median (range) of ${values.passes} passes.\n` +
    `${where}, all of it shared by load generator, nats-server, router, batcher, host and allocator.\n` +
    `${calm.repeated} measurements were repeated because other processes took part of the machine, ${calm.disturbed} stayed disturbed.\n` +
    'Plain: nats.js request with the payload, 100 B back. (a) published: frames of another process, over NATS. ' +
    `(b) embedded: source and router in one process.\n\n${report(passes)}\n`,
);
if (profileDir !== undefined) {
  for (const { name } of ACTORS) {
    process.stdout.write(`\n${name}: share of its busy time by itself\n`);
    for (const { share, where: line } of await hotSpots(join(profileDir, `${name}.cpuprofile`), 25))
      process.stdout.write(`  ${(100 * share).toFixed(1).padStart(5)} %  ${line}\n`);
  }
}
