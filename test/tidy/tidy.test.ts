import { existsSync, readdirSync, readFileSync } from 'node:fs';
import test from 'ava';

/** What each folder may import besides itself. Only `deploy` knows the concrete parts. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  contracts: [],
  bus: ['contracts'],
  allocator: ['contracts'],
  'gpu-host': ['contracts'],
  actors: ['contracts', 'bus', 'allocator', 'gpu-host'],
  deploy: ['contracts', 'bus', 'allocator', 'gpu-host', 'actors'],
};

/** The one door to each thing that would make a run impossible to replay: [banned, use instead, files that may]. */
const BANS: readonly (readonly [RegExp, string, RegExp])[] = [
  [/\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/, 'clock.nowMs() or clock.unixMs()', /^(deploy|bus\/clocks)\//],
  [/\bset(Timeout|Interval|Immediate)\(/, 'clock.after() or every()', /^(deploy|bus\/clocks)\//],
  [/\bMath\.random\b|\brandomUUID\b|\brandomBytes\b/, 'Random', /^(deploy|bus\/clocks)\//],
  [/\bprocess\.env\b/, 'a field of the configuration', /^deploy\//],
  [/from 'nats'/, 'the Bus interface', /^bus\/nats\//],
  [/\bconsole\./, 'Log', /^deploy\//],
  [/from 'sharp'/, 'gpu-host imaging', /^(gpu-host|deploy\/annotate)/],
  [/\b(TODO|FIXME|XXX)\b/, 'a fix, before the merge', /^$/],
];
const LINE_MAX = 160;
const FILE_LINES_MAX = 500;

const sources = (): string[] =>
  Object.keys(MAY_IMPORT)
    .filter(folder => existsSync(folder))
    .flatMap(folder => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(name => `${folder}/${name}`))
    .filter(file => file.endsWith('.ts'))
    .sort();

test('tidy: production code uses our doors and imports only to the left', t => {
  const problems: string[] = [];
  for (const file of sources()) {
    const folder = file.split('/')[0]!;
    readFileSync(file, 'utf8')
      .split('\n')
      .forEach((line, index) => {
        const at = `${file}:${index + 1}`;
        if (line.length > LINE_MAX) problems.push(`${at}: longer than ${LINE_MAX} columns`);
        const code = line.replace(/^\s*(\*|\/\/|\/\*).*/, '');
        for (const [banned, instead, allowedIn] of BANS) {
          if (banned.test(code) && !allowedIn.test(file))
            problems.push(`${at}: ${banned.source} is banned, use ${instead}`);
        }
        const target = /from '(?:\.\.\/)+([a-z-]+)\//.exec(code)?.[1];
        if (target && target in MAY_IMPORT && target !== folder && !MAY_IMPORT[folder]!.includes(target)) {
          problems.push(`${at}: ${folder} must not import ${target}`);
        }
      });
  }
  t.deepEqual(problems, []);
});

test('tidy: a file holds one idea', t => {
  const long = sources()
    .map(file => [file, readFileSync(file, 'utf8').split('\n').length] as const)
    .filter(([file, lines]) => lines > FILE_LINES_MAX && file !== 'contracts/examples.ts')
    .map(([file, lines]) => `${file}: ${lines} lines`);
  t.deepEqual(long, []);
});

test('tidy: the published texts speak of the project alone', t => {
  const lock = readFileSync('package-lock.json', 'utf8');
  t.false(/"resolved":\s*"http/.test(lock), 'the lock file records download addresses: see .npmrc');
});
