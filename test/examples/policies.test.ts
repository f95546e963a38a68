import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { loadPolicy } from '../../deploy/load-policy.ts';
import { compile, readScenario, simulate, withPolicy, type Outcome } from '../../deploy/simulate/index.ts';
import { command } from '../deploy/command-line.ts';
import { oneModel, written } from '../simulate/scenarios.ts';

const FOLDER = 'examples/policies';
const examples = readdirSync(FOLDER).map(name => join(FOLDER, name));

test('examples: each policy loads, and its docstring names the command that runs it', async t => {
  t.true(examples.length >= 2);
  for (const path of examples) {
    const { name } = await loadPolicy(path);
    t.is(join(FOLDER, `${name}.ts`), path);
    t.regex(readFileSync(path, 'utf8'), new RegExp(`ganglion simulate .* --policy ${path}`));
  }
});

for (const path of examples)
  test(`examples: ${path} serves a small load`, async t => {
    const scenario = await written(t, oneModel({ gpus: 2, rateHz: 500, durationS: 2 }));
    const outcome = await simulate(compile(await withPolicy(await readScenario(scenario), path)));
    t.true(outcome.badRate < 0.01, `${outcome.badRate}`);
    t.is(outcome.queries[0]!.lost, 0);
  });

test('ganglion simulate --policy: from the command line, and by path in the scenario with its options', async t => {
  const [fullest] = examples.map(path => join(import.meta.dirname, '../../..', path));
  const file = await written(t, oneModel({ gpus: 1, rateHz: 50, durationS: 1 }));
  const flagged = await command(['simulate', file, '--policy', fullest!, '--json']);
  t.is(flagged.code, 0, flagged.err);
  t.true((JSON.parse(flagged.out) as Outcome).goodHz > 0);
  const more = `policies: { dispatch: ./mine.ts, options: { enough: 0.1 } }`;
  const named = await written(t, oneModel({ gpus: 1, rateHz: 50, durationS: 1, more }), {
    'mine.ts': readFileSync(fullest!, 'utf8'),
  });
  const outcome = await simulate(compile(await readScenario(named)));
  t.true(outcome.goodHz > 0);
});

test('ganglion simulate --policy: what is wrong with a file, or with what it decides, is said', async t => {
  const scenario = await written(t, oneModel({ gpus: 1, rateHz: 50, durationS: 1 }), {
    'none.ts': 'export const policy = 3;',
    'shape.ts': 'export default { name: 3 };',
    'broken.ts': 'export default (',
    'packing.ts':
      "import { packingPolicy } from 'ganglion'; export default packingPolicy('mine', () => [{ kind: 'x', sessions: [] }]);",
    'dispatch.ts': `import { dispatchPolicy } from 'ganglion';
export default dispatchPolicy('mine', () => ({ decide: view => ({ drops: [], wakeAtMs: Infinity,
  grants: view.groups.map(group => ({ group, seat: group.seats[0]!, from: 0, count: 99, startAtMs: view.nowMs, latestAtMs: 0 })) }) }));`,
  });
  const folder = join(scenario, '..');
  for (const [name, code, says] of [
    ['none.ts', 2, /none\.ts: has no policy as its default export\n.*dispatchPolicy/],
    ['shape.ts', 2, /shape\.ts: has no policy as its default export/],
    ['broken.ts', 2, /broken\.ts: can't be loaded: /],
    ['nowhere.ts', 2, /nowhere\.ts: there is no such file/],
    ['packing.ts', 1, /policy "mine": device 0 \(x\): there is no such kind/],
    ['dispatch.ts', 1, /policy "mine": grants\[0\] takes 99 from 0 on/],
  ] as const) {
    const ended = await command(['simulate', scenario, '--policy', join(folder, name)]);
    t.is(ended.code, code, name);
    t.regex(ended.err, says);
  }
  const wrongKind = oneModel({ gpus: 1, rateHz: 50, more: 'policies: { planning: ./dispatch.ts }' });
  const files = {
    'dispatch.ts':
      "import { dispatchPolicy } from 'ganglion'; export default dispatchPolicy('mine', () => ({ decide: () => ({}) }));",
  };
  await t.throwsAsync(readScenario(await written(t, wrongKind, files)), {
    message: /policies\.planning: .*"mine" is a dispatch policy, a packing policy is wanted\n.*packingPolicy/,
  });
});
