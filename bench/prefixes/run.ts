/**
 * What shared prefixes are worth: 1 to 20 variants of one model, each by itself against all behind their prefix.
 *
 *   npm run bench:prefixes [-- --variants 1,2,5,10,20 --only emulated,real,surgery]
 *
 * `emulated`: the batcher's own pool on one emulated device in simulated time. `real`: variants of the text recogniser on one CPU
 * thread, each row in a process of its own; rates are for processor time, so that other work on the machine counts little.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine } from '../lib/machine.ts';
import { table } from '../lib/stats.ts';
import { emulated } from './emulated.ts';
import { real, type Real } from './real.ts';
import { surgery } from './surgery.ts';

const { values } = parseArgs({
  options: {
    variants: { type: 'string', default: '1,2,5,10,20' },
    only: { type: 'string', default: 'emulated,real,surgery' },
    /** How this program starts itself for a row: `apart` or `grouped`. */
    row: { type: 'string' },
  },
});
const counts = values.variants.split(',').map(Number);
const print = (text: string): void => void process.stdout.write(`${text}\n`);

const HEAD = ['variants', 'apart', 'grouped', 'grouped / apart', 'grouped / one model'];
const against = (apart: number, grouped: number, one: number): string[] => [
  `${(grouped / apart).toFixed(2)} ×`,
  `${(grouped / one).toFixed(2)} ×`,
];

if (values.row !== undefined) print(JSON.stringify(await real(counts[0]!, values.row === 'grouped')));
else {
  const sections: Readonly<Record<string, () => void>> = {
    emulated: printEmulated,
    real: printReal,
    surgery: printSurgery,
  };
  print(`${machine()}\n`);
  for (const name of values.only.split(',')) {
    const section = sections[name];
    if (!section) throw new Error(`--only ${name}: there are ${Object.keys(sections).join(', ')}`);
    section();
  }
}

function printEmulated(): void {
  const one = emulated(1, false);
  const rows = counts.map(count => {
    const [apart, grouped] = [emulated(count, false), emulated(count, true)];
    const rate = (of: typeof apart): string =>
      `${of.rateHz.toFixed(0)}/s, ${of.persistentMB} MB, batch ${of.meanBatch.toFixed(1)}`;
    return [String(count), rate(apart), rate(grouped), ...against(apart.rateHz, grouped.rateHz, one.rateHz)];
  });
  print(
    `## One emulated device, 99 % within 100 ms (rate, weights, mean batch; ratios of rates)\n\n${table(HEAD, rows)}\n`,
  );
}

function rowOf(count: number, row: 'apart' | 'grouped'): Real {
  const args = [fileURLToPath(import.meta.url), '--variants', String(count), '--row', row];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Real;
}

function printReal(): void {
  const one = rowOf(1, 'apart');
  const cell = ({ perSecond, rssMB, persistentMB, loadMs, addMs }: Real): string =>
    `${perSecond.toFixed(0)}/s, ${rssMB.toFixed(0)} MB (P ${persistentMB.toFixed(0)}), ${(loadMs / 1000).toFixed(1)} s, +1 in ${addMs.toFixed(0)} ms`;
  const rows = counts.map(count => {
    const [apart, grouped] = [rowOf(count, 'apart'), rowOf(count, 'grouped')];
    return [String(count), cell(apart), cell(grouped), ...against(apart.perSecond, grouped.perSecond, one.perSecond)];
  });
  print(
    `## PP-OCRv4 recognition on one CPU thread, batches of eight over all variants ` +
      `(inputs per second of processor time, resident memory, P planned with, time to load all, to add one; ratios of rates)\n\n` +
      `${table(HEAD, rows)}\n`,
  );
}

function printSurgery(): void {
  const { megabytes, studyMs, splitMs } = surgery();
  print(
    `## A graph of ${megabytes.toFixed(0)} MB: read, hashed, cuts found in ${studyMs.toFixed(0)} ms; split and both parts written in ${splitMs.toFixed(0)} ms`,
  );
}
