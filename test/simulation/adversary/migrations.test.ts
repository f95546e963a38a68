import test from 'ava';
import { failovers, failoverTimes, latenciesOf, migrations, stepsOf } from './migrations.ts';
import { explain } from './report.ts';
import { run } from './run.ts';

const MOVES = 50;
/** Not every host that leaves holds a model. */
const DRAINS = 80;
const RATIO_MAX = 1.2;
const DEATHS = 20;
/** Lease (3 s) and a look at it (each second), gathering (0.5 s), the time of a plan. */
const FAILOVER_MS_MAX = 5000;

const spread = (sortedMs: readonly number[]): string =>
  `${sortedMs.length} times, ${[0, 0.5, 1].map(share => sortedMs[Math.floor(share * (sortedMs.length - 1))]!.toFixed(1)).join(' · ')} ms (least, median, most)`;

test('adversary: over fifty migrations under load nothing is dropped or late, and the slowest are no slower for it', async t => {
  t.timeout(300_000);
  const outcome = await run(migrations(1, DRAINS));
  t.deepEqual(outcome.violations, [], explain(outcome));
  const [during, outside] = latenciesOf(outcome) as [
    { count: number; p99Ms: number },
    { count: number; p99Ms: number },
  ];
  const { accepted, results } = outcome.watch.requests;
  const figures = [`${outcome.watch.plans.migrations} migrations`, `${accepted} requests`, `${results.length} results`];
  t.log(
    ...figures,
    `p99 ${during.p99Ms.toFixed(1)} ms in ${during.count} during, ${outside.p99Ms.toFixed(1)} in ${outside.count} outside`,
  );
  for (const [step, tookMs] of stepsOf(outcome)) t.log(`${step}: ${spread(tookMs)}`);
  t.true(outcome.watch.plans.migrations >= MOVES);
  t.true(during.p99Ms <= RATIO_MAX * outside.p99Ms, 'p99 during against outside');
});

test('adversary: the leader dies twenty times: another one leads within seconds, and no request notices', async t => {
  t.timeout(300_000);
  const outcome = await run(failovers(1, DEATHS));
  t.deepEqual(outcome.violations, [], explain(outcome));
  const tookMs = failoverTimes(outcome);
  t.log(`${spread(tookMs)}; ${outcome.watch.requests.accepted} requests`);
  t.is(tookMs.length, DEATHS);
  t.true(tookMs.at(-1)! <= FAILOVER_MS_MAX);
});
