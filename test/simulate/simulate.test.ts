import test from 'ava';
import { oneModel, outcomeOf } from './scenarios.ts';

const latencyMs = (batch: number): number => 1.082 * batch + 5.204;

test('simulate: two GPUs that take turns serve what the staggered bound says, and not more than one device can give twice', async t => {
  // The largest batch with (1 + 1/n)·ℓ(b) ≤ L, n = 2, and what two devices do of it in a second.
  const batch = Math.floor((50 / 1.5 - 5.204) / 1.082);
  const boundHz = (2 * 1000 * batch) / latencyMs(batch);
  const below = await outcomeOf(t, oneModel({ gpus: 2, rateHz: 0.85 * boundHz }));
  t.true(below.badRate < 0.01, `${below.badRate} bad at 85 % of ${boundHz} a second`);
  const [icons] = below.queries;
  t.is(icons!.lost, 0);
  t.true(icons!.latency.p99Ms <= 50);
  const above = await outcomeOf(t, oneModel({ gpus: 2, rateHz: 1.25 * boundHz }));
  t.true(above.badRate > 0.1, `${above.badRate} bad at 125 % of the bound`);
  t.true(above.goodHz < 1.05 * ((2 * 1000 * 64) / latencyMs(64)), 'no device is faster than its curve');
  t.true(above.models[0]!.meanBatch > below.models[0]!.meanBatch, 'load makes batches larger');
});

test('simulate: the same seed gives the same outcome to the last digit; another seed another', async t => {
  const scenario = (seed: number): string =>
    oneModel({ gpus: 2, rateHz: 300, durationS: 3, more: `seed: ${seed}\ndeviation: 0.05` });
  const first = await outcomeOf(t, scenario(1));
  t.deepEqual(await outcomeOf(t, scenario(1)), first);
  t.notDeepEqual(await outcomeOf(t, scenario(2)), first);
});

test('simulate: a host is killed and comes back; every frame has its outcome, and what was lost with it is told', async t => {
  const more = `
config: { allocator: { epochMinMs: 2000 } }
faults: [{ kind: kill, atS: 3, host: gpu-1, forS: 2 }]`;
  const outcome = await outcomeOf(t, oneModel({ gpus: 2, rateHz: 850, durationS: 12, more }));
  t.deepEqual(
    outcome.events.map(({ what }) => what),
    ['gpu-1 is killed', 'gpu-1 is started again'],
  );
  const [icons] = outcome.queries;
  t.is(icons!.lost, 0);
  t.true(outcome.badRate > 0 && outcome.badRate < 0.5, `${outcome.badRate}`);
  t.true(icons!.troubles.length > 0);
  const lastS = icons!.series.bad.slice(-3);
  t.deepEqual(lastS, [0, 0, 0], 'served again at the end');
});

test('simulate: what is gone can be killed again, what runs can be started again', async t => {
  const more = `
faults:
  - { kind: kill, atS: 1, host: gpu-1, forS: 2 }
  - { kind: kill, atS: 2, host: gpu-1, forS: 2 }`;
  const outcome = await outcomeOf(t, oneModel({ gpus: 2, rateHz: 100, durationS: 5, more }));
  t.is(outcome.events.length, 4);
  t.is(outcome.queries[0]!.lost, 0);
});

test('simulate: a slow host is given less, a frozen one is done without', async t => {
  const more = `
config: { allocator: { replicasMin: 3 } }
faults:
  - { kind: slow, atS: 3, host: gpu-1, factor: 3 }
  - { kind: freeze, atS: 6, host: gpu-2, forS: 2 }`;
  const outcome = await outcomeOf(t, oneModel({ gpus: 3, rateHz: 700, durationS: 8, more }));
  t.is(outcome.queries[0]!.lost, 0);
  t.true(outcome.badRate < 0.1, `${outcome.goodHz} of ${outcome.offeredHz}`);
});

test('simulate: frames fan out by label, and the parts of the latency add up', async t => {
  const outcome = await outcomeOf(
    t,
    `
durationS: 4
devices: [{ kind: gpu, count: 3 }]
models:
  - { name: ssd, alphaMs: 3, betaMs: 6, batchMax: 16, boxes: { car: 2, face: 0.5 } }
  - { name: cars, alphaMs: 0.6, betaMs: 1.3 }
  - { name: faces, alphaMs: 1, betaMs: 2 }
queries:
  - name: traffic
    streams: [cam-*]
    objectiveMs: 200
    stages:
      detect: { model: ssd }
      car: { model: cars, from: detect, labels: [car] }
      face: { model: faces, from: detect, labels: [face] }
streams: [{ name: cam, count: 5, rateHz: 20, arrivals: { kind: constant } }]
`,
  );
  const inputs = new Map(outcome.models.map(({ model, invocations }) => [model, invocations]));
  const [detected, cars, faces] = [inputs.get('ssd')!, inputs.get('cars')!, inputs.get('faces')!];
  t.is(detected, 400);
  t.true(Math.abs(cars / detected - 2) < 0.25, `${cars / detected} cars a frame`);
  t.true(Math.abs(faces / detected - 0.5) < 0.15, `${faces / detected} faces a frame`);
  const { timing, latency } = outcome.queries[0]!;
  const sum = Object.values(timing).reduce((all, ms) => all + ms, 0);
  t.true(Math.abs(sum - latency.meanMs) < 0.01, `${sum} of ${latency.meanMs} ms`);
});
