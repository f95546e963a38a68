import { join } from 'node:path';
import test from 'ava';
import { intBetween, seededRandom } from '../../contracts/index.ts';
import type { ChaosDocument, Verdict } from '../../deploy/chaos/index.ts';
import { Cleanup } from '../end-to-end/cleanup.ts';
import { cli } from '../end-to-end/processes.ts';
import { processChaos } from '../helpers/properties.ts';
import { writeScenario } from './scenario.ts';

/** What a round takes, with its start and its end. */
const ROUND_S = 90;
const DURATION_S = 60;
const LIMIT_MS = 300_000;

const rounds = Math.ceil((60 * processChaos.minutes) / ROUND_S);
const EVERYBODY = ['gpu-1', 'gpu-2', 'gpu-3', 'gpu-4', 'batcher-1', 'batcher-2', 'allocator-1', 'allocator-2'];

/** Odd seeds leave routers and the server alone: then nobody's request may be lost. Others break them, too: then no stored one. */
function scenarioOf(seed: number): Pick<ChaosDocument, 'seed' | 'durationS' | 'settleS' | 'load' | 'faults'> {
  const random = seededRandom(seed);
  const spares = seed % 2 === 1;
  const times = { fromS: 2, toS: DURATION_S - 8 };
  const count = intBetween(random, 6, 16);
  const actors = spares ? EVERYBODY : [...EVERYBODY, 'router-1', 'router-2'];
  const kills = spares ? 0 : intBetween(random, 1, 2);
  return {
    seed,
    durationS: DURATION_S,
    settleS: 60,
    load: [
      { stream: 'watch-1', query: 'watch', rateHz: 10 },
      { stream: 'keep-1', query: 'keep', rateHz: 5 },
    ],
    faults: [
      { kind: 'random', count, ...times, what: ['kill', 'freeze'], actors, forS: intBetween(random, 1, 6) },
      ...Array.from({ length: kills }, () => ({
        kind: 'kill-nats' as const,
        atS: intBetween(random, times.fromS, times.toS),
      })),
    ],
  };
}

if (rounds === 0)
  test.skip('chaos: an hour of random faults of processes (CHAOS_MINUTES=60, npm run test:long)', () => {});

for (let seed = processChaos.from; seed < processChaos.from + rounds; seed++) {
  test.serial(`chaos: random faults of processes, seed ${seed}: nothing is lost that was promised`, async t => {
    t.timeout(LIMIT_MS);
    const cleanup = new Cleanup();
    t.teardown(() => cleanup.run());
    const { file, folder } = await writeScenario(cleanup, scenarioOf(seed));
    const { out, err } = await cli(cleanup, ['chaos', file, '--json', '--data', join(folder, 'data')]);
    const replay = `CHAOS_FROM=${seed} CHAOS_MINUTES=1 npx ava dist/test/chaos/long.test.js`;
    t.regex(out, /^\{/, `${replay}\n${out}\n${err}`);
    const { queries, reasons, unsent, unknown }: Verdict = JSON.parse(out);
    for (const [query, { requests, outcomes, lost, doubled }] of Object.entries(queries))
      t.log(`${query}: ${requests} requests, ${JSON.stringify({ ...outcomes, lost, doubled })}`);
    t.log(JSON.stringify({ unsent, unknown, reasons }));
    const say = `${replay}\n${out}\n${err}`;
    t.like(queries, { keep: { lost: 0, unknown: 0, doubled: 0 }, watch: { doubled: 0 } }, say);
    if (seed % 2 === 1) t.like(queries, { watch: { lost: 0, unknown: 0 } }, say);
  });
}
