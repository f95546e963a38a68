import test from 'ava';
import { MUTANTS, scenarioFor, type Mutant } from './mutants.ts';
import { run } from './run.ts';
import type { Violation } from './watch.ts';

const SEEDS_MAX = 1000;

/** The first seed in which a rule is broken, from where it was found before. */
async function hunt(mutant: Mutant): Promise<{ seed: number; violation: Violation } | undefined> {
  for (let seed = mutant.firstSeed; seed < mutant.firstSeed + SEEDS_MAX; seed++) {
    const { violations } = await run(scenarioFor(mutant, seed), { mutant });
    const violation = violations.find(({ rule }) => mutant.rules.includes(rule));
    if (violation) return { seed, violation };
  }
  return undefined;
}

for (const mutant of MUTANTS) {
  test.serial(`adversary: found out: ${mutant.name}`, async t => {
    t.timeout(600_000);
    const found = await hunt(mutant);
    t.log(found ? `seed ${found.seed}: ${found.violation.rule}: ${found.violation.detail}` : 'not found');
    t.truthy(found);
  });
}
