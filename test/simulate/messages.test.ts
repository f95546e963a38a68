import test from 'ava';
import { compile, readScenario, simulate } from '../../deploy/simulate/index.ts';
import { oneModel, written } from './scenarios.ts';

/** Fan-out, boxes that are cut out, two pools, surges; hosts die, freeze, are drained and come. */
const EVENTFUL = `
durationS: 8
warmupS: 1
devices: [{ kind: gpu, count: 5 }]
deviation: 0.05
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
  - { name: parking, streams: [lot], objectiveMs: 100, stages: { car: { model: cars } } }
streams:
  - { name: cam, count: 5, rateHz: 30, surges: [{ fromS: 3, toS: 5, factor: 2 }] }
  - { name: lot, rateHz: 200, arrivals: { kind: bursty, factor: 4, burstS: 0.2, everyS: 1 } }
network: { oneWayMs: 0.2, jitterMs: 0.1 }
config: { allocator: { epochMinMs: 1500 } }
faults:
  - { kind: kill, atS: 2, host: gpu-1, forS: 2 }
  - { kind: freeze, atS: 3, host: gpu-2, forS: 1 }
  - { kind: drain, atS: 4, host: gpu-3 }
  - { kind: add, atS: 5 }
`;

for (const [title, text] of [
  ['all that can happen', EVENTFUL],
  ['one model', oneModel({ gpus: 2, rateHz: 700, durationS: 3 })],
] as const) {
  test(`simulate: messages handed over as they are come to the same, digit for digit, as encoded ones (${title})`, async t => {
    const scenario = compile(await readScenario(await written(t, text)), 1);
    const encoded = await simulate(scenario, undefined, { messages: 'encoded' });
    t.true(encoded.goodHz > 0);
    t.deepEqual(await simulate(scenario, undefined, { messages: 'values' }), encoded);
    t.deepEqual(await simulate(scenario, undefined, { messages: 'frozen' }), encoded, 'nobody changes what was said');
  });
}
