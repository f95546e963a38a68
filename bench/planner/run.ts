/**
 * How good the planner is, and how fast: GPUs of Nexus's packing and of pools against their bounds over random workloads, planning
 * time as workloads grow, and what moves when rates change: reckoned. `judge` runs plans on simulated devices, with the
 * batcher's own pool: does a plan serve 99 %, how many devices would, how many does Nexus's packing need for that?
 *
 *   npm run bench:planner [-- --only quality,judge,speed,movement --workloads 30 --gpus 5-15 --sizes 100,1000,10000
 *                             --epochs 40 --seed 1 --trace invocations.csv]
 *
 * `--trace`: invocations a minute by function (Azure Functions 2019 format) as the rates of the epochs, else a random walk; and
 * its mean rates as one more family to judge. `--gpus`: about how large the judged workloads are.
 */
import { parseArgs } from 'node:util';
import { checkPlan, movesOf, nexus, pooled, type CapacityPlan, type Workload } from '../../allocator/capacity/index.ts';
import { seededRandom } from '../../contracts/index.ts';
import { machine } from '../lib/machine.ts';
import { median, quantile, spread, table } from '../lib/stats.ts';
import { judged } from './judged.ts';
import { meanRates, ratesOfTrace, walk } from './rates.ts';
import { disturbed, emulatedProfiles, FAMILIES, randomWorkload, type Family } from './workloads.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'quality,judge,speed,movement' },
    gpus: { type: 'string', default: '5-15' },
    workloads: { type: 'string', default: '30' },
    sizes: { type: 'string', default: '100,1000,10000' },
    epochs: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
    trace: { type: 'string' },
  },
});
const print = (text: string): void => void process.stdout.write(`${text}\n`);
const base = await emulatedProfiles();
const seed = Number(values.seed);
print(`${machine()}; seed ${seed}\n`);
const sections: Readonly<Record<string, () => void | Promise<void>>> = {
  quality: () => quality(Number(values.workloads)),
  judge: () => judge(Number(values.workloads)),
  speed: () => speed(values.sizes.split(',').map(Number)),
  movement: () => movement(Number(values.epochs)),
};
for (const name of values.only.split(',')) {
  const section = sections[name];
  if (!section) throw new Error(`--only ${name}: there are ${Object.keys(sections).join(', ')}`);
  await section();
}

async function judge(workloads: number): Promise<void> {
  const [least, most] = values.gpus.split('-').map(Number);
  const result = judged({
    workloads,
    seed,
    base,
    gpus: [least!, most ?? least!],
    progress: line => void process.stderr.write(`${line}\n`),
    ...(values.trace === undefined ? {} : { traceHz: await meanRates(values.trace) }),
  });
  print(`## Judged on simulated devices (mean GPUs), about ${values.gpus}\n\n${result}\n`);
}

interface Pair {
  readonly nexus: CapacityPlan;
  readonly pooled: CapacityPlan;
}

/** Each policy's plan of each workload, about 10 GPUs large. */
function quality(workloads: number): void {
  const broken: string[] = [];
  const rows = FAMILIES.map(family => {
    const pairs = Array.from({ length: workloads }, (_, i): Pair => {
      const random = seededRandom(seed * 1_000_003 + i);
      const workload = randomWorkload(family, 5 + 10 * random.next(), base, random);
      const plans = { nexus: nexus(workload), pooled: pooled(workload) };
      for (const plan of [plans.nexus, plans.pooled]) {
        broken.push(...checkPlan(workload, plan).map(why => `${family.name} ${i}, ${plan.policy}: ${why}`));
      }
      return plans;
    });
    return [family.name, String(workloads), ...figures(pairs)];
  });
  const header = [
    'family',
    'workloads',
    'Nexus',
    'pooled',
    'pooled − Nexus',
    'pooled ≤ Nexus',
    'bound',
    'bound 2ℓ≤L',
    'Nexus / bound',
    'pooled / bound',
  ];
  print(`## GPUs, about 10 (mean; cost decides where there are two kinds)\n\n${table(header, rows)}\n`);
  const told = broken.slice(0, 10).map(line => `- ${line}`);
  print(
    broken.length === 0 ? 'Every plan keeps every rule.\n' : `${broken.length} rules broken:\n${told.join('\n')}\n`,
  );
}

function figures(all: readonly Pair[]): string[] {
  const mean = (of: (one: Pair) => number): number => all.reduce((sum, one) => sum + of(one), 0) / all.length;
  const [theirs, ours] = [mean(one => one.nexus.costPerHour), mean(one => one.pooled.costPerHour)];
  const never = all.filter(one => one.pooled.costPerHour <= one.nexus.costPerHour + 1e-9).length;
  return [
    mean(one => one.nexus.gpus).toFixed(2),
    mean(one => one.pooled.gpus).toFixed(2),
    `${(100 * (ours / theirs - 1)).toFixed(1)} %`,
    `${((100 * never) / all.length).toFixed(0)} %`,
    mean(one => one.pooled.bound.gpus).toFixed(2),
    mean(one => one.pooled.bound.independentGpus).toFixed(2),
    (theirs / mean(one => one.nexus.bound.costPerHour)).toFixed(3),
    (ours / mean(one => one.pooled.bound.costPerHour)).toFixed(3),
  ];
}

/** From scratch, and again after 1 % of the sessions changed their rates by up to 20 %. */
function speed(sizes: readonly number[]): void {
  const rows = sizes.flatMap(size => {
    const family: Family = { ...FAMILIES[4]!, name: 'growth', sessions: [size, size] };
    const workload = randomWorkload(family, Math.min(1000, size / 5), base, seededRandom(seed));
    const changed = disturbed(workload, 0.01, 0.2, seededRandom(seed + 1));
    return [nexus, pooled].map(policy => {
      // The second time the code is compiled and the curves are unrolled, as in a planner that runs for hours.
      const passes = size > 2000 ? 3 : 5;
      const scratch = Array.from({ length: passes }, () => timed(() => policy(workload)));
      const plan = scratch[0]!.result;
      const again = Array.from({ length: passes }, () => timed(() => policy(changed, plan)));
      const { loadedBytes, sessionsMoved } = movesOf(plan, again[0]!.result, changed);
      return [
        String(size),
        plan.policy,
        String(plan.gpus),
        `${spread(
          scratch.map(one => one.ms),
          0,
        )} ms`,
        `${spread(
          again.map(one => one.ms),
          0,
        )} ms`,
        String(sessionsMoved),
        `${(loadedBytes / 1e9).toFixed(1)} GB`,
      ];
    });
  });
  const header = ['sessions', 'policy', 'GPUs', 'from scratch', 'after 1 % changed', 'sessions moved', 'loaded'];
  print(`## Planning, processor time (median and range)\n\n${table(header, rows)}\n`);
}

/** Processor time: what others do on the machine counts less. */
function timed<T>(work: () => T): { result: T; ms: number } {
  const began = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(began);
  return { result, ms: (user + system) / 1000 };
}

/** What is loaded each epoch when plans build on each other, and when each is made from scratch. */
async function movement(epochs: number): Promise<void> {
  const family: Family = { ...FAMILIES[4]!, sessions: [60, 60] };
  const workload = randomWorkload(family, 20, base, seededRandom(seed));
  const names = workload.sessions.map(session => session.name);
  const source = values.trace;
  const rates =
    source === undefined ? walk(workload, epochs, seededRandom(seed + 2)) : await ratesOfTrace(source, names, epochs);
  const rows = [nexus, pooled].flatMap(policy =>
    [true, false].map(incremental => {
      let plan: CapacityPlan | undefined;
      const loaded: number[] = [];
      const gpus: number[] = [];
      for (const rate of rates) {
        const now: Workload = {
          ...workload,
          sessions: workload.sessions.map(one => ({ ...one, rateHz: rate.get(one.name) ?? one.rateHz })),
        };
        const next = policy(now, incremental ? plan : undefined);
        if (plan) loaded.push(movesOf(plan, next, now).loadedBytes / 1e9);
        gpus.push(next.gpus);
        plan = next;
      }
      const mean = loaded.reduce((sum, bytes) => sum + bytes, 0) / Math.max(1, loaded.length);
      return [
        plan!.policy,
        incremental ? 'from what runs' : 'from scratch',
        median(gpus).toFixed(0),
        mean.toFixed(2),
        quantile(loaded, 0.95).toFixed(2),
      ];
    }),
  );
  const header = ['policy', 'planned', 'GPUs (median)', 'GB loaded an epoch', 'p95'];
  const what = source === undefined ? 'a random walk of the rates' : (source.split('/').at(-2) ?? source);
  print(`## Movement over ${rates.length} epochs, ${what}\n\n${table(header, rows)}\n`);
}
