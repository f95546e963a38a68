import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { command, temporaryFolder } from './command-line.ts';

const COMMANDS = [
  'up',
  'run',
  'apply',
  'delete',
  'get',
  'status',
  'top',
  'results',
  'infer',
  'profile',
  'plan',
  'prefix',
  'specialize',
  'drain',
  'chaos',
];
/** Nobody listens there: port 1 needs privileges. */
const NOBODY = 'nats://127.0.0.1:1';

for (const name of COMMANDS) {
  test(`cli: ${name} --help shows an example`, async t => {
    const { code, out } = await command([name, '--help']);
    t.is(code, 0);
    t.regex(out, new RegExp(`Examples?:\\n +ganglion ${name}`));
  });
}

test('cli: --help lists every command and the exit codes', async t => {
  const { code, out } = await command(['--help']);
  t.is(code, 0);
  for (const name of COMMANDS) t.regex(out, new RegExp(`^  ${name} `, 'm'));
  t.regex(out, /Exit codes: 0 .* 1 .* 2 /s);
});

const wrong: Record<string, { args: string[]; says: RegExp }> = {
  'an unknown command': { args: ['aply'], says: /unknown command 'aply'.*apply/s },
  'an unknown option': { args: ['top', '--onze'], says: /unknown option '--onze'/ },
  'a missing argument': { args: ['infer', 'q'], says: /missing required argument 'picture'/ },
  'a number that is none': { args: ['top', '--interval', 'fast'], says: /must be a number from 0.2 to 60/ },
  'a prefix that is no name': { args: ['status', '--prefix', 'a.b'], says: /Use A-Z a-z 0-9/ },
  'a file that does not exist': {
    args: ['apply', '-f', 'nowhere.yaml', '--dry-run'],
    says: /nowhere\.yaml: there is no such file/,
  },
  'a cluster file that does not exist': { args: ['up', 'nowhere.yaml'], says: /nowhere\.yaml: there is no such file/ },
  'an actor that does not exist': {
    args: ['run', 'gpu-hots', '--no-wait'],
    says: /there is no actor "gpu-hots"\n  did you mean "gpu-host"/,
  },
  'an actor file that does not exist': {
    args: ['run', './nowhere.ts', '--no-wait'],
    says: /nowhere\.ts: there is no such file/,
  },
  'a picture that does not exist': { args: ['infer', 'q', 'nowhere.jpg'], says: /nowhere\.jpg: there is no such file/ },
  'a kind that can not be deleted': {
    args: ['delete', 'qery', 'x'],
    says: /there is no kind "qery"\n  did you mean "query"/,
  },
  'a device that is wrong': {
    args: ['profile', 'm.yaml', '--device', '{"kind":"onnx","thread":1}'],
    says: /thread is not a field.*threads/s,
  },
};
for (const [situation, { args, says }] of Object.entries(wrong)) {
  test(`cli: ${situation} is exit code 2, with what to do`, async t => {
    const { code, err } = await command(args, { GANGLION_NATS: NOBODY });
    t.regex(err, says);
    t.is(code, 2);
  });
}

for (const args of [
  ['status'],
  ['get'],
  ['results'],
  ['top', '--once'],
  ['drain', 'gpu-a'],
  ['run', 'allocator', '--no-wait'],
]) {
  test(`cli: ${args.join(' ')} without NATS is exit code 1 and says how to get it`, async t => {
    const { code, err } = await command(args, { GANGLION_NATS: NOBODY });
    t.regex(err, /no NATS at nats:\/\/127\.0\.0\.1:1 .*\n.*ganglion up/);
    t.is(code, 1);
  });
}

test('cli: with --json errors are JSON', async t => {
  const { code, err } = await command(['status', '--json'], { GANGLION_NATS: NOBODY });
  const { error } = JSON.parse(err) as { error: { code: string; retryable: boolean } };
  t.like(error, { code: 'disconnected', retryable: true });
  t.is(code, 1);
});

test('cli: apply --dry-run checks the files without a cluster', async t => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'stream.yaml');
  await writeFile(file, 'kind: Stream\nname: s\nrateHz: 1\nsource: { kind: synthetic }\n');
  const good = await command(['apply', '-f', file, '--dry-run'], { GANGLION_NATS: NOBODY });
  t.is(good.code, 0, good.err);
  t.is(good.out, 'Stream default/s would be created\n');
  await writeFile(file, 'kind: Stream\nname: s\nrate: 1\nsource: { kind: synthetic }\n');
  const bad = await command(['apply', '-f', file, '--dry-run', '--json'], { GANGLION_NATS: NOBODY });
  t.is(bad.code, 2);
  const { error } = JSON.parse(bad.err.split('\n').find(line => line.startsWith('{'))!) as {
    error: { problems: { line: number; field: string }[] };
  };
  t.like(error.problems[0], { line: 3, field: 'rate' });
});
