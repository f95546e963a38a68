import test, { type ExecutionContext } from 'ava';
import type { Outcome } from '../../deploy/simulate/index.ts';
import { outcomeOf } from './scenarios.ts';

/** What four devices answer in time of one tenant's frames with a detector and three boxes each, at their peak. */
const PEAK_HZ = 350;

/** Tenants whose frames a detector looks at and a reader reads the boxes of, 200 ms, on four devices that hold both. */
const crowd = (ratesHz: Readonly<Record<string, number>>, crossStageDrop: boolean): string => `
durationS: 7
warmupS: 5
devices: [{ kind: gpu, count: 4 }]
models:
  - { name: detector, alphaMs: 6, betaMs: 10, batchMax: 64, boxes: 3 }
  - { name: reader, alphaMs: 1.08, betaMs: 5.2, batchMax: 64 }
queries:
${Object.keys(ratesHz)
  .map(
    tenant =>
      `  - { name: q, tenant: ${tenant}, streams: [cam-*], objectiveMs: 200, stages: { find: { model: detector }, read: { model: reader, from: find } } }`,
  )
  .join('\n')}
streams:
${Object.entries(ratesHz)
  .map(([tenant, hz]) => `  - { name: cam, tenant: ${tenant}, count: 5, rateHz: ${hz / 5} }`)
  .join('\n')}
policies: { crossStageDrop: ${crossStageDrop} }`;

const run = (t: ExecutionContext, ratesHz: Readonly<Record<string, number>>, crossStageDrop = true): Promise<Outcome> =>
  outcomeOf(t, crowd(ratesHz, crossStageDrop));

test('overload: at three times the capacity of two stages goodput stays within a tenth of its peak, as later stages are in view', async t => {
  const peak = await run(t, { a: 1.05 * PEAK_HZ });
  const over = await run(t, { a: 3 * PEAK_HZ });
  const blind = await run(t, { a: 3 * PEAK_HZ }, false);
  t.log(`${peak.goodHz} at its peak, ${over.goodHz} at three times that, ${blind.goodHz} without crossStageDrop`);
  t.true(over.goodHz >= 0.9 * peak.goodHz, `${over.goodHz} of ${peak.goodHz}`);
  t.true(over.goodHz > 1.15 * blind.goodHz, `${over.goodHz}, without ${blind.goodHz}`);
  for (const outcome of [over, blind]) {
    const [query] = outcome.queries;
    t.is(query!.lost, 0, 'every frame has its result');
    t.is(outcome.gpus.usedMean, 4, 'no host is taken for lost: beats and orders get through');
  }
});

test('overload: tenants that ask for less than their share of two stages get it, whatever another one asks for', async t => {
  const wants = { a: 0.3 * PEAK_HZ, b: 0.3 * PEAK_HZ, c: 2.4 * PEAK_HZ };
  const { queries, goodHz } = await run(t, wants);
  const part = (tenant: string): number => {
    const { ok, offered } = queries.find(query => query.tenant === tenant)!;
    return ok / offered;
  };
  t.log(`answered in time: a ${part('a')}, b ${part('b')}, c ${part('c')}; ${goodHz} a second`);
  t.true(part('a') > 0.75 && part('b') > 0.75, `${part('a')}, ${part('b')}`);
  t.true(goodHz > 0.75 * PEAK_HZ, `${goodHz}`);
});
