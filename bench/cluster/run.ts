/**
 * The evaluation of Nexus (SOSP 2019), with the production actors on emulated devices in virtual time. Writes docs/evaluation.
 *
 *   npm run bench:cluster [-- --only one-model,game --quick --frames N --seeds 1,2 --precision 0.01 --out DIR --cache DIR --report]
 *
 * Runs that were finished are remembered by scenario and code (`--cache`), so it goes on where it was stopped. `--report` only writes
 * the report anew, from the data that are there.
 */
import { parseArgs } from 'node:util';
import { Lab } from './lab.ts';
import { keepRow, writeReport } from './report/write.ts';
import { ROWS } from './rows/index.ts';
import { codeVersion, commitName } from './version.ts';

const FRAMES = { full: 20_000, quick: 4000 };

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    frames: { type: 'string' },
    seeds: { type: 'string' },
    precision: { type: 'string' },
    out: { type: 'string', default: 'docs/evaluation' },
    cache: { type: 'string', default: '.cache/cluster' },
    report: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const chosen = values.only === undefined ? ROWS : values.only.split(',').map(rowOf);
const frames = Number(values.frames ?? (values.quick ? FRAMES.quick : FRAMES.full));
const precision = Number(values.precision ?? (values.quick ? 0.03 : 0.01));
const seeds = (values.seeds ?? (values.quick ? '1' : '1,2')).split(',').map(Number);

if (!values.report) {
  const commit = commitName();
  const version = codeVersion();
  for (const { id, run } of chosen) {
    const lab = new Lab({
      quick: values.quick,
      cacheDir: values.cache,
      version,
      frames,
      seeds,
      precision,
      say: line => say(`${id}: ${line}`),
    });
    const row = await run(lab);
    keepRow(values.out, { ...row, made: { commit, seeds, framesMin: frames, spentS: lab.spentS, ...row.measured } });
    say(`${id}: done, ${lab.spentS.toFixed(0)} s of processor time, ${lab.ownS.toFixed(0)} s of it now`);
  }
}
writeReport(values.out, ROWS);
say(`${values.out}/README.md, ${values.out}/index.html`);

function rowOf(name: string): (typeof ROWS)[number] {
  const row = ROWS.find(({ id }) => id === name);
  if (!row) throw new Error(`--only ${name}: there are ${ROWS.map(({ id }) => id).join(', ')}`);
  return row;
}
