import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { curveOf } from '../../allocator/index.ts';
import { profilesFromCsv } from '../../deploy/plan/csv-profiles.ts';
import { readProfiles } from '../../deploy/plan/profiles.ts';
import { command, temporaryFolder } from '../deploy/command-line.ts';
import { profileOf } from '../allocator/profiles.ts';

const LINEAR = 'model,device,alphaMs,betaMs,batchMax\nm,k,1,5,32\nslow,k,10,50,8\n';
const DEVICES = 'devices: [{ kind: k, memoryMB: 1000 }]\nprofiles: p.csv\n';
const SESSION = '{ name: a, model: m, sloMs: 50, rateHz: 100 }';

async function plan(t: ExecutionContext, yaml: string, csv = LINEAR, args: readonly string[] = []) {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'p.csv'), csv);
  const file = join(folder, 'w.yaml');
  await writeFile(file, yaml);
  const said = await command(['plan', file, ...args]);
  return { ...said, err: said.err.replaceAll(`${folder}/`, '') };
}

const session = (fields: string): string => `${DEVICES}sessions:\n  - ${fields}\n`;
const query = (stages: string): string =>
  `${DEVICES}queries:\n  - { name: q, sloMs: 200, rateHz: 10, stages: ${stages} }\n`;

const wrong: Record<string, { yaml: string; csv?: string; says: RegExp }> = {
  'a rate of zero': {
    yaml: session('{ name: a, model: m, sloMs: 50, rateHz: 0 }'),
    says: /w\.yaml:4: sessions\[0\]\.rateHz: must be greater than 0, not 0\n {2}requests per second/,
  },
  'a negative rate': {
    yaml: session('{ name: a, model: m, sloMs: 50, rateHz: -3 }'),
    says: /sessions\[0\]\.rateHz: must be greater than 0, not -3/,
  },
  'a rate that is no number': {
    yaml: session('{ name: a, model: m, sloMs: 50, rateHz: .nan }'),
    says: /w\.yaml:4: sessions\[0\]\.rateHz: must be a number, not NaN/,
  },
  'an infinite rate': {
    yaml: session('{ name: a, model: m, sloMs: 50, rateHz: .inf }'),
    says: /rateHz: must be a number, not Infinity/,
  },
  'a rate in quotes with its unit': {
    yaml: session('{ name: a, model: m, sloMs: 50, rateHz: "100/s" }'),
    says: /write 100, without quotes or unit/,
  },
  'a rate per day': {
    yaml: session('{ name: a, model: slow, sloMs: 500, rateHz: 900000000 }'),
    says: /rateHz: 900000000 requests a second take \d+ devices.*\n.*per hour or day/,
  },
  'an objective of zero': {
    yaml: session('{ name: a, model: m, sloMs: 0, rateHz: 1 }'),
    says: /sessions\[0\]\.sloMs: must be greater than 0/,
  },
  'a field that does not exist': {
    yaml: session('{ name: a, model: m, sloMS: 50, rateHz: 1 }'),
    says: /w\.yaml:4: sessions\[0\]\.sloMS: is not a field here\n {2}did you mean "sloMs"\?/,
  },
  'a missing field': {
    yaml: session('{ name: a, model: m, rateHz: 1 }'),
    says: /w\.yaml:4: sessions\[0\]: lacks "sloMs"\n {2}sloMs: latency objective/,
  },
  'an unknown model': {
    yaml: session('{ name: a, model: mm, sloMs: 50, rateHz: 1 }'),
    says: /w\.yaml:4: sessions\[0\]\.model: no profile of model mm on device k\n {2}did you mean "m"\?/,
  },
  'a model that was measured elsewhere': {
    yaml: session(SESSION),
    csv: 'model,device,alphaMs,betaMs,batchMax\nm,other,1,5,32\nslow,k,1,1,2\n',
    says: /no profile of model m on device k\n {2}it was measured on other; measure it there too: ganglion profile m/,
  },
  'the same name twice': {
    yaml: `${DEVICES}sessions:\n  - ${SESSION}\n  - ${SESSION}\n`,
    says: /w\.yaml:5: sessions\[1\]\.name: "a" is already the name of sessions 0\n {2}give each its own name/,
  },
  'neither sessions nor queries': { yaml: DEVICES, says: /w\.yaml:1: has neither sessions nor queries/ },
  'no devices': {
    yaml: `devices: []\nprofiles: p.csv\nsessions: [${SESSION}]\n`,
    says: /w\.yaml:1: devices: needs at least 1 of them/,
  },
  'a device with a price of nothing': {
    yaml: `devices: [{ kind: k, memoryMB: 1, pricePerHour: 0 }]\nprofiles: p.csv\nsessions: [${SESSION}]`,
    says: /devices\[0\]\.pricePerHour: must be greater than 0/,
  },
  'no profiles file': {
    yaml: `devices: [{ kind: k, memoryMB: 1 }]\nprofiles: nowhere.csv\nsessions: [${SESSION}]\n`,
    says: /w\.yaml:2: profiles: nowhere\.csv there is no such file/,
  },
  'an empty profiles file': {
    yaml: session(SESSION),
    csv: '',
    says: /p\.csv:1: is empty\n {2}begin with model,device,batch,latencyMs/,
  },
  'profiles with a header alone': {
    yaml: session(SESSION),
    csv: 'model,device,alphaMs,betaMs,batchMax\n',
    says: /p\.csv:1: holds no profile/,
  },
  'a column that is misspelt': {
    yaml: session(SESSION),
    csv: 'model,device,alphaMs,betaMS,batchMax\nm,k,1,5,32\n',
    says: /p\.csv:1: lacks the column betaMs/,
  },
  'a latency that is no number': {
    yaml: session(SESSION),
    csv: 'model,device,batch,latencyMs\nm,k,1,fast\n',
    says: /p\.csv:2: latencyMs: must be a number above 0, not "fast"\n {2}write digits, with a dot/,
  },
  'a decimal comma': {
    yaml: session(SESSION),
    csv: 'model,device,batch,latencyMs\nm,k,1,5,2\n',
    says: /p\.csv:2: has 1 more fields than the header has columns\n {2}put texts with commas in quotes/,
  },
  'a batch measured twice': {
    yaml: session(SESSION),
    csv: 'model,device,batch,latencyMs\nm,k,1,5\n# a remark\nm,k,1,6\n',
    says: /p\.csv:4: batch: batch 1 of m on k was measured twice/,
  },
  'a curve that takes no time': {
    yaml: session(SESSION),
    csv: 'model,device,alphaMs,betaMs,batchMax\nm,k,0,0,32\n',
    says: /p\.csv:2: alphaMs: .*a run takes time/,
  },
  'a stage that reads what is not there': {
    yaml: query('{ a: { model: m }, b: { model: m, from: aa } }'),
    says: /w\.yaml:4: queries\[0\]\.stages\.b\.from: there is no stage "aa"\n {2}did you mean "a"\?/,
  },
  'a circle of stages': {
    yaml: query('{ a: { model: m, from: c }, b: { model: m, from: a }, c: { model: m, from: [b] } }'),
    says: /queries\[0\]\.stages\.a\.from: stages wait for each other: a from c from b from a\n {2}let one of them read the frame/,
  },
  'a fan-out without a parent': {
    yaml: query('{ a: { model: m, fanout: 2 } }'),
    says: /stages\.a\.fanout: has no effect without `from`/,
  },
  'a fan-out of nothing': {
    yaml: query('{ a: { model: m }, b: { model: m, from: a, fanout: 0 } }'),
    says: /stages\.b\.fanout: must be greater than 0/,
  },
  'a prefix of a session that does not exist': {
    yaml: `${session(SESSION)}prefixes: [{ members: [a, b], prefix: m, suffixes: { a: m, b: m } }]\n`,
    says: /w\.yaml:5: prefixes\[0\]\.members\[1\]: there is no session "b"/,
  },
  'a prefix that lacks a suffix': {
    yaml: `${DEVICES}sessions: [${SESSION}, { name: b, model: m, sloMs: 50, rateHz: 1 }]\nprefixes: [{ members: [a, b], prefix: m, suffixes: { a: m } }]\n`,
    says: /prefixes\[0\]\.suffixes: lacks "b"\n {2}write: b: <name of a profile>/,
  },
  'text that is no YAML': { yaml: 'devices: [', says: /w\.yaml:\d+: not YAML/ },
  'an empty file': { yaml: '', says: /w\.yaml: is empty; it needs devices/ },
  'a list': { yaml: '- 1', says: /w\.yaml:1: must be fields \(name: value\), not a list/ },
};
for (const [situation, { yaml, csv, says }] of Object.entries(wrong)) {
  test(`workload: ${situation} is told with its place and what to do`, async t => {
    const { code, err, out } = await plan(t, yaml, csv);
    t.regex(err, says);
    t.is(code, 2);
    t.is(out, '');
  });
}

test('workload: all mistakes are told at once, as JSON where programs ask', async t => {
  const yaml = `${DEVICES}sessions:\n  - { name: a, model: x, sloMs: 50, rateHz: 1 }\n  - { name: a, model: y, sloMs: 50, rateHz: 1 }\n`;
  const { code, err } = await plan(t, yaml, LINEAR, ['--json']);
  t.is(code, 2);
  const { error } = JSON.parse(err) as { error: { code: string; problems: { field: string; line: number }[] } };
  t.is(error.code, 'config');
  t.deepEqual(
    error.problems.map(problem => [problem.field, problem.line]),
    [
      ['sessions[0].model', 4],
      ['sessions[1].name', 5],
      ['sessions[1].model', 5],
    ],
  );
});

test('workload: an objective below one run is a refusal with the nearest objective, and a warning with its line', async t => {
  const { code, err, out } = await plan(t, session('{ name: a, model: m, sloMs: 5, rateHz: 10 }'), LINEAR, ['--json']);
  t.is(code, 3);
  t.regex(
    err,
    /w\.yaml:4: warning: sessions\[0\]\.sloMs: 5 ms can't be met: one input of m takes 6\.0 ms\n {2}the nearest .* 6 ms/,
  );
  const { refused, gpus } = JSON.parse(out) as { gpus: number; refused: { session: string; nearestSloMs: number }[] };
  t.is(gpus, 0);
  t.is(refused[0]!.session, 'a');
  t.true(refused[0]!.nearestSloMs >= 6);
});

test('profiles: measured points become a curve that never falls, and the note says where it was lifted', t => {
  const csv = [
    'model,device,batch,latencyMs,stdMs,memoryMB,provenance',
    '# measured on a quiet machine',
    'm,k,1,6,0.5,100,"one, quoted ""twice"""',
    'm,k,4,5,0.5,130,',
    'm,k,8,14,1,180,',
  ].join('\n');
  const { profiles, problems } = profilesFromCsv(csv, 'p.csv');
  t.deepEqual(problems, []);
  const curve = curveOf(profiles[0]!);
  t.is(curve.latencyMs(1), 6.5);
  t.is(curve.latencyMs(4), 6.5);
  t.is(curve.latencyMs(6), 10.75);
  t.regex(curve.note!, /m on k: batches 4 were measured faster/);
  t.throws(() => curve.latencyMs(9), { instanceOf: RangeError, message: /measured for batches 1 to 8, not 9/ });
  // Alone it takes what was measured at each batch: P + E(b).
  t.is(curve.persistentBytes + curve.ephemeralBytes(8), 180e6);
});

test('profiles: both column layouts, a file of ganglion profile, and a folder of them give the same curve', async t => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'all'));
  await writeFile(
    join(folder, 'all', 'linear.csv'),
    'device,model,alphaMs,betaMs,preMs,postMs,persistentMB,ephemeralMBPerItem,batchMax\nk,a,1,5,2,0.5,100,10,8\n',
  );
  const points = [1, 8].map(b => `b,k,${b},${b + 5},${100 + 10 * b},2,0.5,100`);
  await writeFile(
    join(folder, 'all', 'measured.csv'),
    `model,device,batch,latencyMs,memoryMB,preMs,postMs,persistentMB\n${points.join('\n')}\n`,
  );
  const own = { ...profileOf('c@0123456789ab', { 1: 6, 8: 13 }), preMs: 2, postMs: 0.5, persistentBytes: 100e6 };
  const withMemory = { ...own, points: own.points.map(point => ({ ...point, ephemeralBytes: 10e6 * point.batch })) };
  await writeFile(join(folder, 'all', 'own.json'), JSON.stringify(withMemory));
  const { profiles, problems } = await readProfiles('all', folder);
  t.deepEqual(problems, []);
  t.deepEqual(
    profiles.map(profile => profile.model),
    ['a', 'b', 'c@0123456789ab'],
  );
  for (const profile of profiles) {
    const curve = curveOf(profile);
    t.deepEqual(
      [curve.latencyMs(3), curve.ephemeralBytes(3), curve.persistentBytes, curve.aroundMs, curve.batchMax],
      [8, 30e6, 100e6, 2.5, 8],
      profile.model,
    );
  }
});

test('profiles: a model of our profiler is found by its bare name', async t => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'p.json'), JSON.stringify([profileOf('m@0123456789ab', { 1: 6, 32: 37 })]));
  await writeFile(
    join(folder, 'w.yaml'),
    `devices: [{ kind: k, memoryMB: 1000 }]\nprofiles: p.json\nsessions: [${SESSION}]\n`,
  );
  const { code, out } = await command(['plan', join(folder, 'w.yaml'), '--json']);
  t.is(code, 0);
  t.is((JSON.parse(out) as { gpus: number }).gpus, 1);
});
