import test from 'ava';
import { latenciesOf, migrations } from './migrations.ts';
import { explain } from './report.ts';
import { run } from './run.ts';

const MOVES = 50;
/** Not every host that leaves holds a model. */
const DRAINS = 80;
const RATIO_MAX = 1.2;

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
  t.true(outcome.watch.plans.migrations >= MOVES);
  t.true(during.p99Ms <= RATIO_MAX * outside.p99Ms, 'p99 during against outside');
});
