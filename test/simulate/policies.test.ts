import test from 'ava';
import { oneModel, outcomeOf } from './scenarios.ts';

test('policies: without overlap a device waits while inputs are prepared, and more of them are planned', async t => {
  const scenario = (overlap: boolean): string =>
    oneModel({ gpus: 4, rateHz: 1500, durationS: 3, more: `policies: { overlap: ${overlap} }` })
      .replace('betaMs: 5.204', 'betaMs: 5.204, preMs: 2')
      .replace('objectiveMs: 50', 'objectiveMs: 100');
  const [overlapped, serial] = [await outcomeOf(t, scenario(true)), await outcomeOf(t, scenario(false))];
  t.true(overlapped.badRate < 0.01 && serial.badRate < 0.01, `${overlapped.badRate}, ${serial.badRate}`);
  t.true(serial.gpus.usedMax > overlapped.gpus.usedMax, `${serial.gpus.usedMax} against ${overlapped.gpus.usedMax}`);
  // Four cores, 2 ms each: half a millisecond an input.
  const icons = serial.queries[0]!;
  t.true(icons.timing.runMs > overlapped.queries[0]!.timing.runMs * 1.05);
});

const variants = (of: (name: string) => string): string =>
  ['a', 'b', 'c', 'd', 'e', 'f'].map(name => `  - ${of(name)}`).join('\n');
const VARIANTS = `
durationS: 3
devices: [{ kind: gpu, count: 6, memoryMB: 4000 }]
models:
${variants(n => `{ name: ${n}, alphaMs: 1.1, betaMs: 5, prefix: { name: trunk, alphaMs: 1, betaMs: 4.5, persistentMB: 90 } }`)}
queries:
${variants(n => `{ name: ${n}, streams: [cam], objectiveMs: 60, stages: { all: { model: ${n} } } }`)}
streams: [{ name: cam, rateHz: 60 }]
`;

for (const policies of ['', 'planning: nexus, dispatch: nexus, '])
  test(`policies: without prefixes models run by themselves (${policies === '' ? 'ours' : 'nexus'})`, async t => {
    const [together, apart] = [
      await outcomeOf(t, `${VARIANTS}policies: { ${policies}prefixes: true }`),
      await outcomeOf(t, `${VARIANTS}policies: { ${policies}prefixes: false }`),
    ];
    t.true(together.badRate < 0.02 && apart.badRate < 0.1, `${together.badRate}, ${apart.badRate}`);
    t.true(apart.gpus.usedMax > together.gpus.usedMax, `${apart.gpus.usedMax} against ${together.gpus.usedMax}`);
  });

test('policies: an even split gives each stage of a query half of its time', async t => {
  const outcome = await outcomeOf(
    t,
    `
durationS: 3
devices: [{ kind: gpu, count: 6 }]
models: [{ name: quick, alphaMs: 0.1, betaMs: 1, boxes: 1 }, { name: slow, alphaMs: 3, betaMs: 25 }]
queries:
  - { name: q, streams: [cam], objectiveMs: 110, stages: { one: { model: quick }, two: { model: slow, from: one } } }
streams: [{ name: cam, rateHz: 60 }]
policies: { planning: nexus, dispatch: nexus, split: even }
`,
  );
  // 55 ms less 3 for the network hold ℓ(1) = 28 only once: those devices must have nothing else to do.
  t.is(outcome.queries[0]!.lost, 0);
  t.true(outcome.gpus.usedMax >= 3, `${outcome.gpus.usedMax}`);
});

for (const dispatch of ['nexus', 'timeout', 'aimd'])
  test(`policies: ${dispatch} serves a small load whole`, async t => {
    const more = `policies: { planning: ${dispatch === 'nexus' ? 'nexus' : 'batch-oblivious'}, dispatch: ${dispatch} }`;
    const outcome = await outcomeOf(t, oneModel({ gpus: 2, rateHz: 300, durationS: 3, more }));
    t.true(outcome.badRate < 0.01, `${outcome.badRate}`);
    t.is(outcome.queries[0]!.lost, 0);
  });
