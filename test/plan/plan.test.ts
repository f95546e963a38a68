import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { checkPlan, nexus, pooled } from '../../allocator/capacity/index.ts';
import { intBetween, seededRandom } from '../../contracts/index.ts';
import { readWorkload } from '../../deploy/plan/index.ts';
import { prepareWorkload } from '../../deploy/plan/workload.ts';
import { command, temporaryFolder } from '../deploy/command-line.ts';

const EXAMPLES = fileURLToPath(new URL('../../../examples/plans/', import.meta.url));
const example = (name: string): string => join(EXAMPLES, `${name}.yaml`);

interface Plan {
  readonly policy: string;
  readonly gpus: number;
  readonly costPerHour: number;
  readonly bound: { readonly gpus: number; readonly costPerHour: number };
  readonly hosts: readonly {
    readonly id: string;
    readonly memoryMB: number;
    readonly deviceMemoryMB: number;
    readonly occupancy: number;
    readonly dutyMs: number;
    readonly sessions: readonly {
      readonly name: string;
      readonly batch: number;
      readonly rateHz: number;
      readonly sizedHz?: number;
      readonly latencyMs: number;
    }[];
  }[];
  readonly scratchRatio?: number;
  readonly refused: readonly {
    readonly session: string;
    readonly reason: string;
    readonly nearestSloMs: number | null;
  }[];
  readonly splits: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly moves: readonly { readonly do: string; readonly host: string; readonly model: string }[];
  readonly costs?: { readonly saving: number; readonly sharedPerHour: number; readonly dedicatedPerHour: number };
}

async function planned(t: ExecutionContext, ...args: readonly string[]): Promise<Plan> {
  const { code, out, err } = await command(['plan', ...args, '--json']);
  t.true(code === 0 || code === 3, err);
  const plan = JSON.parse(out) as Plan;
  t.is(code === 3, plan.refused.length > 0, 'the exit code says whether somebody is refused');
  return plan;
}

/** Rate that the hosts together serve, by session. */
const served = (plan: Plan): Map<string, number> => {
  const rates = new Map<string, number>();
  for (const { sessions } of plan.hosts) {
    for (const { name, rateHz } of sessions) rates.set(name, (rates.get(name) ?? 0) + rateHz);
  }
  return rates;
};

const WORKLOAD = `
devices: [{ kind: k, memoryMB: 2000, pricePerHour: 2 }]
profiles:
  - { model: m, device: k, alphaMs: 1, betaMs: 5, batchMax: 32, persistentMB: 100, ephemeralMBPerItem: 1 }
  - { model: n, device: k, alphaMs: 2, betaMs: 4, batchMax: 32, persistentMB: 200, ephemeralMBPerItem: 1 }
sessions:
  - { name: a, model: m, sloMs: 80, rateHz: 90 }
  - { name: <b & "c">, model: n, sloMs: 120, rateHz: 60 }
`;

async function workload(t: ExecutionContext, text = WORKLOAD, name = 'w.yaml'): Promise<string> {
  const file = join(await temporaryFolder(t), name);
  await writeFile(file, text);
  return file;
}

for (const file of readdirSync(EXAMPLES).filter(name => name.endsWith('.yaml'))) {
  for (const policy of ['nexus', 'pooled']) {
    test(`plan: examples/plans/${file} (${policy})`, async t => {
      const plan = await planned(t, join(EXAMPLES, file), '--policy', policy);
      t.is(plan.policy, policy);
      t.is(plan.gpus, plan.hosts.length);
      t.true(plan.costPerHour >= plan.bound.costPerHour - 1e-6, 'never below the bound');
      t.is(new Set(plan.hosts.map(host => host.id)).size, plan.gpus);
      for (const host of plan.hosts) {
        t.true(host.memoryMB > 0 && host.memoryMB <= host.deviceMemoryMB, `${host.id} fits into memory`);
        t.true(host.occupancy > 0 && host.occupancy <= 1 + 1e-9, `${host.id} is not busier than it can be`);
      }
    });
  }
}

test('plan: the examples keep every rule of planning', async t => {
  for (const name of ['traffic', 'games', 'mixed-fleet']) {
    const file = await readWorkload(example(name));
    const pools = prepareWorkload(file, 'late-binding').workload;
    t.deepEqual(checkPlan(pools, pooled(pools)), [], name);
    const alone = prepareWorkload(file, 'independent').workload;
    t.deepEqual(checkPlan(alone, nexus(alone)), [], name);
  }
});

test('plan: sessions behind a prefix need no profile of their whole models', async t => {
  const grouped = `${WORKLOAD}  - { name: d, model: whole, sloMs: 100, rateHz: 30 }
  - { name: e, model: other, sloMs: 100, rateHz: 30 }
prefixes: [{ members: [d, e], prefix: m, suffixes: { d: n, e: n } }]
`;
  for (const policy of ['nexus', 'pooled']) {
    const plan = await planned(t, await workload(t, grouped), '--policy', policy);
    t.deepEqual(plan.refused, [], policy);
    t.true(Math.abs(served(plan).get('d')! - 30) < 1e-6, policy);
  }
});

test('plan: what comes out is what went in: rates, objectives, the split of a query', async t => {
  const plan = await planned(t, example('traffic'));
  t.deepEqual(plan.refused, []);
  const rates = served(plan);
  // 200 frames a second, two cars and 0.6 faces in each; of damage: every frame, and a fifth of 3.5 cars.
  for (const [session, rateHz] of [
    ['intersection.detect', 200],
    ['intersection.car', 400],
    ['intersection.face', 120],
    ['parking.damage', 102],
    ['plates', 250],
  ] as const) {
    t.true(Math.abs(rates.get(session)! - rateHz) < 1e-3 * rateHz, `${session}: ${rates.get(session)}`);
  }
  const { detect, car, face } = plan.splits['intersection']!;
  t.true(detect! + Math.max(car!, face!) <= 400 + 1e-6);
  const { detect: find, car: cars, damage } = plan.splits['parking']!;
  t.true(find! + cars! + damage! <= 150 + 1e-6, 'damage reads detect and car');
  for (const { sessions } of plan.hosts) {
    for (const { name, latencyMs } of sessions) {
      const [query, stage] = name.split('.') as [string, string?];
      if (stage !== undefined) t.true(latencyMs <= plan.splits[query]![stage]! + 1e-6, name);
    }
  }
});

test('plan: who is refused is told why, and with which objective it would not be', async t => {
  const { code, out, err } = await command(['plan', example('mixed-fleet')]);
  t.is(code, 3);
  t.regex(out, /1 refusal/);
  t.regex(out, /reflex: .*nearest objective: 1\d\.\d ms/);
  t.regex(err, /mixed-fleet\.yaml:\d+: warning: sessions\[6\]\.sloMs: 12 ms can't be met/);
});

test('plan: a query that is too short is refused, and its nearest objective can be met', async t => {
  const query = (sloMs: number): string =>
    `${WORKLOAD}queries: [{ name: q, sloMs: ${sloMs}, rateHz: 5, stages: { x: { model: m }, y: { model: n, from: x } } }]\n`;
  for (const policy of ['nexus', 'pooled']) {
    const { refused } = await planned(t, await workload(t, query(11)), '--policy', policy);
    t.is(refused[0]!.session, 'q');
    t.regex(refused[0]!.reason, /11 ms are too short: its stages need x \d+\.\d ms, y \d+\.\d ms/);
    const again = await planned(t, await workload(t, query(refused[0]!.nearestSloMs!)), '--policy', policy);
    t.deepEqual(again.refused, [], policy);
  }
});

test('plan: the same workload gives the same plan, as YAML and as JSON, in any order of its sessions', async t => {
  const yaml = await planned(t, await workload(t));
  t.deepEqual({ ...(await planned(t, await workload(t))), planningMs: 0 }, { ...yaml, planningMs: 0 } as Plan);
  const sessions = [
    { name: '<b & "c">', model: 'n', sloMs: 120, rateHz: 60 },
    { name: 'a', model: 'm', sloMs: 80, rateHz: 90 },
  ];
  const profile = { device: 'k', batchMax: 32, ephemeralMBPerItem: 1 };
  const json = {
    devices: [{ kind: 'k', memoryMB: 2000, pricePerHour: 2 }],
    profiles: [
      { ...profile, model: 'm', alphaMs: 1, betaMs: 5, persistentMB: 100 },
      { ...profile, model: 'n', alphaMs: 2, betaMs: 4, persistentMB: 200 },
    ],
    sessions,
  };
  const fromJson = await planned(t, await workload(t, JSON.stringify(json), 'w.json'));
  t.deepEqual(fromJson.hosts, yaml.hosts);
});

test('plan: mistakes in JSON have their lines too', async t => {
  const { code, err } = await command([
    'plan',
    await workload(t, '{\n "devices": [],\n "profiles": "p.csv",\n "sesions": []\n}', 'w.json'),
  ]);
  t.is(code, 2);
  t.regex(err, /w\.json:2: devices: needs at least 1/);
  t.regex(err, /w\.json:4: sesions: is not a field of a workload\n {2}did you mean "sessions"\?/);
});

test('plan: --from a plan that still fits moves nothing, and one that does not shows the moves', async t => {
  const folder = await temporaryFolder(t);
  const now = join(folder, 'now.json');
  const { out } = await command(['plan', await workload(t), '--json']);
  await writeFile(now, out);
  const same = await planned(t, await workload(t), '--from', now);
  t.deepEqual(same.moves, []);
  // Batches follow the rates as they are, without the room for bursts that the device was sized with.
  const held = ({ hosts }: Plan) => hosts.map(({ id, sessions }) => [id, sessions.map(s => [s.name, s.rateHz])]);
  t.deepEqual(held(same), held(JSON.parse(out) as Plan));
  const grown = await workload(t, at(2000));
  const more = await planned(t, grown, '--from', now);
  t.true(more.moves.some(move => move.do === 'load' && move.model === 'm'));
  const said = await command(['plan', grown, '--from', now]);
  t.regex(said.out, /Moves\n {2}(un)?load .*\n(.*\n)* {2}.* of weights loaded, \d+ sessions? moved/);
});

test('plan: what a plan is mended by survives --json and --from', async t => {
  const now = join(await temporaryFolder(t), 'now.json');
  await writeFile(now, (await command(['plan', await workload(t, at(2000)), '--json'])).out);
  const after = async (rateHz: number): Promise<Plan> => {
    const { out } = await command(['plan', await workload(t, at(rateHz)), '--from', now, '--json']);
    await writeFile(now, out);
    return JSON.parse(out) as Plan;
  };
  const next = await after(2010);
  t.is(typeof next.scratchRatio, 'number');
  const sizedFor = ({ hosts }: Plan): number =>
    hosts.flatMap(host => host.sessions).reduce((sum, s) => sum + (s.name === 'a' ? (s.sizedHz ?? s.rateHz) : 0), 0);
  t.true(Math.abs(sizedFor(next) - 2000) < 1e-3, 'its hosts were sized for the rate of before');
  t.true(Math.abs(sizedFor(await after(2020)) - 2000) < 1e-3, 'and still are, a step later');
});

const at = (rateHz: number): string => WORKLOAD.replace('rateHz: 90', `rateHz: ${rateHz}`);

test('plan: --from a file that is no plan names the field and the remedy', async t => {
  const folder = await temporaryFolder(t);
  const file = await workload(t);
  for (const [content, says] of [
    ['{ "policy": "pooled" }', /p\.json: lacks "gpus"/],
    ['{', /p\.json: is no plan/],
    [
      '{ "policy": "x", "gpus": 1, "costPerHour": 1, "bound": { "gpus": 1, "costPerHour": 1 }, "hosts": [{}] }',
      /p\.json: hosts\.0: lacks "id"/,
    ],
  ] as const) {
    await writeFile(join(folder, 'p.json'), content);
    const { code, err } = await command(['plan', file, '--from', join(folder, 'p.json')]);
    t.is(code, 2);
    t.regex(err, says);
    t.regex(err, /ganglion plan WORKLOAD --json/);
  }
  t.regex((await command(['plan', file, '--from', 'nowhere.json'])).err, /nowhere\.json: there is no such file/);
});

test('plan: --compare shows all policies side by side, pooled never dearer than Nexus', async t => {
  const { out } = await command(['plan', example('mixed-fleet'), '--compare']);
  t.regex(out, /POLICY +GPUS +AN HOUR +A MILLION +BOUND/);
  t.regex(out, /^pooled /m);
  t.regex(out, /^nexus /m);
  const { code, out: json } = await command(['plan', example('mixed-fleet'), '--compare', '--json']);
  t.is(code, 3);
  const { plans } = JSON.parse(json) as { plans: Plan[] };
  t.deepEqual(
    plans.map(plan => plan.policy),
    ['pooled', 'nexus'],
  );
  t.true(plans[0]!.costPerHour <= plans[1]!.costPerHour + 1e-9);
});

test('plan: costs add up, and sharing a device is told against devices of their own', async t => {
  const { costs, costPerHour, gpus } = await planned(t, await workload(t));
  t.is(gpus, 1);
  t.is(costs!.dedicatedPerHour, 4);
  t.true(Math.abs(costs!.sharedPerHour - costPerHour) < 1e-9, 'the plan’s price is handed out, no more and no less');
  t.true(Math.abs(costs!.saving - 0.5) < 1e-9);
  const { out } = await command(['plan', await workload(t)]);
  t.regex(out, /sharing: 2\.00 an hour instead of 4\.00, 50 % saved/);
});

test('plan: the page and the picture stand alone, show every device and model, and escape names', async t => {
  const folder = await temporaryFolder(t);
  const [html, svg] = [join(folder, 'out', 'plan.html'), join(folder, 'plan.svg')];
  const { code } = await command(['plan', await workload(t), '--html', html, '--svg', svg]);
  t.is(code, 0);
  for (const content of [await readFile(html, 'utf8'), await readFile(svg, 'utf8')]) {
    t.notRegex(content, /<script|src=|href=|@import|url\(http/);
    t.notRegex(content, /<b & /);
    t.regex(content, /&lt;b &amp; &quot;c&quot;&gt;: batch \d+ of n/);
    t.regex(content, /m: 100 MB held/);
    t.regex(content, /k-default-1/);
  }
  t.regex(await readFile(svg, 'utf8'), /^<svg xmlns=/);
  const where = join(html, 'below');
  t.regex((await command(['plan', await workload(t), '--html', where])).err, /below: can't be written/);
});

test('plan: many hosts that do the same are one line and one row of the picture', async t => {
  const file = await workload(t, WORKLOAD.replace('rateHz: 90', 'rateHz: 60000'));
  const svg = join(await temporaryFolder(t), 'plan.svg');
  const { out } = await command(['plan', file, '--svg', svg]);
  t.true(out.split('\n').length < 40);
  t.regex(out, /\d\d × k-default/);
  t.true((await readFile(svg, 'utf8')).length < 20_000);
});

test('plan: with queries too pooled is never dearer than Nexus (random workloads)', async t => {
  const random = seededRandom(7);
  const between = (min: number, max: number): number => min + (max - min) * random.next();
  for (let i = 0; i < 8; i++) {
    const queries = Array.from({ length: intBetween(random, 1, 4) }, (_, q) => ({
      name: `q${q}`,
      sloMs: Math.round(between(60, 400)),
      rateHz: Math.round(between(5, 300)),
      stages: { find: { model: 'm' }, look: { model: 'n', from: 'find', fanout: between(0.2, 4) } },
    }));
    const { out } = await command([
      'plan',
      await workload(t, `${WORKLOAD}queries: ${JSON.stringify(queries)}\n`),
      '--compare',
      '--json',
    ]);
    const [ours, theirs] = (JSON.parse(out) as { plans: [Plan, Plan] }).plans;
    t.true(ours.refused.length <= theirs.refused.length, JSON.stringify(queries));
    if (ours.refused.length === theirs.refused.length)
      t.true(ours.costPerHour <= theirs.costPerHour + 1e-9, JSON.stringify(queries));
  }
});

test('plan: planWith takes the mean, mean and deviation, or the 99th percentile of what was measured', async t => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'p.csv'), 'model,device,batch,latencyMs,stdMs,p99Ms\nm,k,1,10,2,19\n');
  const text = (line: string): string => `devices: [{ kind: k, memoryMB: 100 }]
profiles: p.csv
${line}
sessions: [{ name: a, model: m, sloMs: 38, rateHz: 1 }]
`;
  for (const [line, runMs] of [
    ['', 12],
    ['planWith: mean', 10],
    ['planWith: mean+std', 12],
    ['planWith: p99', 19],
  ] as const) {
    await writeFile(join(folder, 'w.yaml'), text(line));
    const plan = await planned(t, join(folder, 'w.yaml'), '--policy', 'nexus');
    const { dutyMs, sessions } = plan.hosts[0]!;
    t.true(Math.abs(sessions[0]!.latencyMs - dutyMs - runMs) < 1e-6, `${line}: ${sessions[0]!.latencyMs} of ${dutyMs}`);
  }
  await writeFile(join(folder, 'w.yaml'), text('planWith: median'));
  const { code, err } = await command(['plan', join(folder, 'w.yaml')]);
  t.is(code, 2);
  t.regex(err, /w\.yaml:3: planWith: /);
});
