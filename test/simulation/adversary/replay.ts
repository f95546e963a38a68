import { explain } from './report.ts';
import { run } from './run.ts';
import { scenarioOf } from './scenario.ts';
import { shrink } from './shrink.ts';

/** `npm run simulate -- SEED [COUNT]`: runs seeds, tells what broke, and shrinks it. */
const [from = NaN, count = 1] = process.argv.slice(2).map(Number);
if (!Number.isSafeInteger(from)) throw new RangeError('usage: npm run simulate -- SEED [COUNT]');
const print = (text: string): void => void process.stdout.write(`${text}\n`);

let broken = 0;
let requests = 0;
let virtualMs = 0;
const startedMs = performance.now();
for (let seed = from; seed < from + count; seed++) {
  const outcome = await run(scenarioOf(seed));
  const { watch, convergedMs } = outcome;
  requests += watch.requests.accepted;
  virtualMs += watch.nowMs();
  if (count === 1) print(`${JSON.stringify(outcome.scenario, null, 1)}\n${outcome.lines.join('\n')}`);
  if (outcome.violations.length === 0) {
    if (count === 1) print(`seed ${seed}: nothing broke; converged ${convergedMs?.toFixed(0)} ms after the heal`);
    continue;
  }
  broken++;
  const smallest = await shrink(outcome);
  print(`${explain(outcome)}\n\nshrunk: ${JSON.stringify(smallest.scenario)}\n${explain(smallest)}\n`);
}
const seconds = (performance.now() - startedMs) / 1000;
print(
  `${count} seeds, ${broken} broken; ${requests} requests, ${(virtualMs / 1000).toFixed(0)} s of virtual time in ` +
    `${seconds.toFixed(1)} s: ${((count * 60) / seconds).toFixed(0)} seeds a minute`,
);
process.exitCode = broken > 0 ? 1 : 0;
