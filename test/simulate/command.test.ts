import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { Outcome } from '../../deploy/simulate/index.ts';
import { command } from '../deploy/command-line.ts';
import { oneModel, written } from './scenarios.ts';

test('ganglion simulate: a table for people that says that all is emulated, and a page without anything from elsewhere', async t => {
  const path = await written(
    t,
    oneModel({ gpus: 2, rateHz: 100, durationS: 2, more: 'faults: [{ kind: add, atS: 1 }]' }),
  );
  const html = join(path, '..', 'out', 'page.html');
  const { code, out, err } = await command(['simulate', path, '--html', html]);
  t.is(code, 0);
  t.regex(out, /emulated devices on a simulated bus/);
  t.regex(out, /^icons +2\d\d/m);
  t.regex(out, /gpu-3 arrives/);
  t.regex(err, /4 s simulated in [\d.]+ s, [\d.]+ × real time/);
  const page = await readFile(html, 'utf8');
  t.regex(page, /Emulated: /);
  t.notRegex(page, /<script|src=|@import|url\(/);
  t.deepEqual([...new Set(page.match(/https?:[^"' ]*/g))], ['http://www.w3.org/2000/svg']);
  t.notRegex(page, /NaN|undefined|Infinity/);
  t.is(page.match(/<svg /g)!.length, 5, 'time, GPUs, breakdown, one query, one model');
});

test('ganglion simulate --json: the outcome as promised; a wrong scenario is exit code 2', async t => {
  const path = await written(t, oneModel({ gpus: 1, rateHz: 50, durationS: 2 }));
  const { code, out } = await command(['simulate', path, '--json', '--seed', '7']);
  t.is(code, 0);
  const outcome = JSON.parse(out) as Outcome;
  t.is(outcome.seed, 7);
  t.true(outcome.emulated);
  t.is(outcome.queries[0]!.ok, outcome.queries[0]!.offered);
  t.is(outcome.series.gpusUsed.length, 4);
  const wrong = await command(['simulate', await written(t, 'durationS: 5'), '--json']);
  t.is(wrong.code, 2);
  t.regex(wrong.err, /lacks \\"devices\\"/);
});

test('ganglion simulate --real: the same scenario by processes on a NATS server, and both side by side', async t => {
  const scenario = oneModel({ gpus: 1, rateHz: 20, durationS: 2 }).replace('objectiveMs: 50', 'objectiveMs: 1000');
  const { code, out } = await command(['simulate', await written(t, scenario), '--real', '--json']);
  t.is(code, 0, out);
  const { virtual, real } = JSON.parse(out) as { virtual: Outcome; real: Outcome };
  t.deepEqual([virtual.time, real.time], ['virtual', 'real']);
  t.is(real.queries[0]!.lost, 0);
  t.is(real.queries[0]!.offered, virtual.queries[0]!.offered, 'the same arrivals');
  t.true(real.queries[0]!.ok > 0);
});
