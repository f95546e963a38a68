import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { checkWorkload } from '../../deploy/plan/check.ts';
import { planJson, planWith, readWorkload } from '../../deploy/plan/index.ts';
import { POLICIES } from '../../allocator/index.ts';
import { seededRandom } from '../../contracts/index.ts';
import { command, temporaryFolder } from '../deploy/command-line.ts';

const curve = (model: string, alphaMs: number) => ({ model, device: 'k', alphaMs, betaMs: 5, batchMax: 64 });
const models = ['m', 'n', 'o', 'p'];

/** Slow sessions of a few models, with objectives of their own. */
function workloadOf(sessions: number) {
  const random = seededRandom(7);
  return {
    devices: [{ kind: 'k', memoryMB: 11_000 }],
    profiles: models.map((model, i) => curve(model, 1 + i)),
    sessions: Array.from({ length: sessions }, (_, i) => ({
      name: `s${i}`,
      model: models[i % models.length]!,
      sloMs: 100 + Math.round(400 * random.next()),
      rateHz: 0.05 + random.next(),
    })),
  };
}

test('plan: 50,000 sessions are read, planned, shown and drawn', async t => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'w.json');
  const page = join(folder, 'plan.html');
  await writeFile(file, JSON.stringify(workloadOf(50_000)));
  const { code, out, err } = await command(['plan', file, '--html', page]);
  t.is(code, 0, err);
  const [, gpus, bound] = /: (\d+) GPUs.*\n.*less than ([\d.]+) GPUs/.exec(out) ?? t.fail(out);
  t.true(Number(gpus) >= Number(bound) && Number(gpus) < 1.05 * Number(bound), out.slice(0, 200));
  t.regex(out, /… and 49940 more/);
});

test('plan: what is too large is refused by name: sessions, and lines of JSON', async t => {
  const [session] = workloadOf(1).sessions;
  const sessions = Array.from({ length: 1_000_001 }, () => session!);
  const said: string[] = [];
  checkWorkload({ ...workloadOf(1), sessions }, [], (_, path, detail, remedy) =>
    said.push(`${path.join('.')}: ${detail}; ${remedy}`),
  );
  t.deepEqual(said, [
    'sessions: 1000001 sessions and stages, at most 1000000 are planned; ' +
      'write sessions of one model with nearly the same objective as one, with the sum of their rates',
  ]);

  const folder = await temporaryFolder(t);
  const file = join(folder, 'w.json');
  await writeFile(file, JSON.stringify(workloadOf(100)));
  const planned = planWith(POLICIES.pooled, await readWorkload(file), { costs: false, nowMs: () => 0 });
  const [host] = planned.plan.hosts;
  const hosts = Array.from({ length: 40_001 }, () => host!);
  t.is(host!.sessions.length, 100, 'one pool');
  t.throws(() => planJson({ ...planned, plan: { ...planned.plan, hosts } }), {
    message: /40001 devices hold 4000100 sessions together; --json lists up to 4000000/,
  });
});
