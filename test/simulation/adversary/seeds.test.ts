import test from 'ava';
import { simulationSeeds } from '../../helpers/properties.ts';
import { explain } from './report.ts';
import { run } from './run.ts';
import { scenarioOf } from './scenario.ts';
import { shrink } from './shrink.ts';

const CHUNK = 20;
const CHUNK_MS_MAX = 300_000;

const { from, count } = simulationSeeds;
for (let first = from; first < from + count; first += CHUNK) {
  const last = Math.min(first + CHUNK, from + count) - 1;
  test.serial(
    `adversary: seeds ${first} to ${last} break no invariant, and all converge when the faults are over`,
    async t => {
      t.timeout(CHUNK_MS_MAX);
      for (let seed = first; seed <= last; seed++) {
        const outcome = await run(scenarioOf(seed));
        if (outcome.violations.length === 0) continue;
        const smallest = await shrink(outcome);
        t.fail(`${explain(outcome)}\n\nshrunk: ${JSON.stringify(smallest.scenario)}\n${explain(smallest)}`);
      }
      t.pass();
    },
  );
}
