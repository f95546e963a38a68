/**
 * What shared prefixes are worth: 1 to 20 variants of one model, each by itself against all behind their prefix.
 *
 *   npm run bench:prefixes [-- --variants 1,2,5,10,20 --only emulated,real,surgery]
 *
 * `emulated`: the batcher's own pool on one emulated device in simulated time. `real`: variants of the text recogniser on one CPU
 * thread. Memory and loading: each figure in a process of its own. Rates: one model, all apart and all grouped by turns in one process, for
 * processor time, so that other work on the machine counts little.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine } from '../lib/machine.ts';
import { table } from '../lib/stats.ts';
import { emulated } from './emulated.ts';
import { loading, speed, type Loading, type Speed } from './real.ts';
import { surgery } from './surgery.ts';

const { values } = parseArgs({
  options: {
    variants: { type: 'string', default: '1,2,5,10,20' },
    only: { type: 'string', default: 'emulated,real,surgery' },
    /** How this program starts itself: `apart`, `grouped` or `speed`. */
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

if (values.row === 'speed') print(JSON.stringify(await speed(counts[0]!)));
else if (values.row !== undefined)
  print(JSON.stringify(await loading(counts[0]!, values.row === 'grouped', () => globalThis.gc?.())));
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

function rowOf(count: number, row: 'apart' | 'grouped' | 'speed'): unknown {
  const args = ['--expose-gc', fileURLToPath(import.meta.url), '--variants', String(count), '--row', row];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

function printReal(): void {
  const one = rowOf(1, 'apart') as Loading;
  const loaded = ({ rssMB, persistentMB, loadMs }: Loading): string =>
    `${rssMB.toFixed(0)} MB (P ${persistentMB.toFixed(0)}), ${(loadMs / 1000).toFixed(1)} s`;
  const added = ({ ms, cpuMs }: Speed['added']['whole']): string => `${ms.toFixed(0)} ms (${cpuMs.toFixed(0)})`;
  const of = (some: number, whole: number): string => `${(some / whole).toFixed(2)} ×`;
  const rows = counts.map(count => {
    const [apart, grouped] = [rowOf(count, 'apart') as Loading, rowOf(count, 'grouped') as Loading];
    const { one: ofOne, apart: ofApart, grouped: ofGrouped, added: more } = rowOf(count, 'speed') as Speed;
    return [
      [
        String(count),
        loaded(apart),
        loaded(grouped),
        of(grouped.persistentMB, one.persistentMB),
        added(more.whole),
        added(more.suffix),
        of(more.suffix.cpuMs, more.whole.cpuMs),
      ],
      [
        String(count),
        `${ofOne.toFixed(0)}/s`,
        `${ofApart.toFixed(0)}/s`,
        `${ofGrouped.toFixed(0)}/s`,
        of(ofGrouped, ofApart),
        of(ofGrouped, ofOne),
      ],
    ] as const;
  });
  print(
    `## PP-OCRv4 recognition on one CPU thread: memory and loading ` +
      `(resident memory, P planned with, time to load all; one more in wall and processor time)\n\n` +
      `${table(
        ['variants', 'apart', 'grouped', 'P / P of one', '+1 whole', '+1 suffix', 'suffix / whole'],
        rows.map(([memory]) => memory),
      )}\n`,
  );
  print(
    `## The same: inputs per second of processor time, batches of eight over all variants\n\n` +
      `${table(
        ['variants', 'one model', 'apart', 'grouped', 'grouped / apart', 'grouped / one model'],
        rows.map(([, rate]) => rate),
      )}\n`,
  );
}

function printSurgery(): void {
  const { megabytes, studyMs, splitMs } = surgery();
  print(
    `## A graph of ${megabytes.toFixed(0)} MB: read, hashed, cuts found in ${studyMs.toFixed(0)} ms; split and both parts written in ${splitMs.toFixed(0)} ms`,
  );
}
