import test from 'ava';
import { REGRESSIONS } from './regressions.ts';
import { explain } from './report.ts';
import { run } from './run.ts';
import { scenarioOf } from './scenario.ts';

for (const { why, scenario } of REGRESSIONS) {
  test.serial(`adversary: ${why}`, async t => {
    const outcome = await run(scenario);
    t.deepEqual(outcome.violations, [], explain(outcome));
  });
}

test.serial('adversary: a seed is one run, message for message', async t => {
  const twice = [await run(scenarioOf(12)), await run(scenarioOf(12))] as const;
  t.is(twice[0].watch.digest(), twice[1].watch.digest());
  t.not((await run(scenarioOf(13))).watch.digest(), twice[0].watch.digest());
});
