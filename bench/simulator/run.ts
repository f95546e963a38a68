/**
 * How fast the simulator is, who takes its time, and how that grows: examples/scenarios/hundred-gpus.yaml with a tenth of its GPUs and
 * streams, as it is, and with ten times as many.
 *
 *   npm run bench:simulator [-- --gpus 10,100,1000 --seconds 30]
 *
 * Each row is a process of its own. Processor time, so that other work on the machine counts less: it still slows memory down.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ROOM_FOR_YOUNG } from '../../deploy/roomy.ts';
import { compile, readScenario, simulate, type Outcome, type ProcessorTime } from '../../deploy/simulate/index.ts';
import { machine } from '../lib/machine.ts';
import { table } from '../lib/stats.ts';

const { values } = parseArgs({
  options: {
    gpus: { type: 'string', default: '10,100,1000' },
    /** Virtual, measured. Default: less for more GPUs. */
    seconds: { type: 'string' },
    /** How this program starts itself: GPUs of one row. */
    row: { type: 'string' },
  },
});

/** Of the scenario that is scaled. */
const GPUS = 100;
const WARMUP_S = 5;
const SCENARIO = fileURLToPath(new URL('../../../examples/scenarios/hundred-gpus.yaml', import.meta.url));

interface Row {
  readonly gpus: number;
  readonly used: number;
  readonly badRate: number;
  readonly planS: number;
  readonly processor: ProcessorTime;
  readonly peakMB: number;
  /** What is in use after a collection, at a third of the time and at its end. */
  readonly heapMB: readonly [number, number];
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const secondsFor = (gpus: number): number => Math.max(30, Math.min(240, 24_000 / gpus));

async function measure(gpus: number, seconds: number): Promise<Row> {
  const file = await readScenario(SCENARIO);
  const { document } = file;
  const share = gpus / GPUS;
  const devices = document.devices.map(device => ({ ...device, count: Math.round((device.count ?? 1) * share) }));
  const streams = document.streams.map(({ surges: _surges, ...stream }) => {
    return { ...stream, count: Math.max(1, Math.round((stream.count ?? 1) * share)) };
  });
  const scaled = { ...file, document: { ...document, devices, streams, durationS: seconds, warmupS: WARMUP_S } };
  const scenario = compile(scaled, 1);
  const heapMB: number[] = [];
  let processor: ProcessorTime | undefined;
  const startedMs = cpuMs();
  let plannedMs = 0;
  const outcome: Outcome = await simulate(
    scenario,
    ({ atMs, totalMs }) => {
      plannedMs ||= cpuMs() - startedMs;
      if (atMs !== totalMs && (heapMB.length > 0 || atMs < totalMs / 3)) return;
      globalThis.gc?.();
      heapMB.push(process.memoryUsage().heapUsed / 1e6);
    },
    { onProcessor: time => (processor = time) },
  );
  return {
    gpus,
    used: outcome.gpus.usedMean,
    badRate: outcome.badRate,
    planS: plannedMs / 1000,
    processor: processor!,
    peakMB: process.resourceUsage().maxRSS / 1000,
    heapMB: [heapMB[0]!, heapMB.at(-1)!],
  };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function printRows(rows: readonly Row[]): void {
  const kinds = [...new Set(rows.flatMap(({ processor }) => processor.kinds.map(({ kind }) => kind)))];
  const us = (ms: number, { requests }: ProcessorTime): string => ((1000 * ms) / requests).toFixed(1);
  print(
    table(
      ['GPUs', 'used', 'requests/s', 'bad', '× real time', 'until the first second, s', 'peak RSS, MB', 'heap, MB'],
      rows.map(({ gpus, used, badRate, planS, processor, peakMB, heapMB: [early, late] }) => [
        String(gpus),
        used.toFixed(0),
        ((1000 * processor.requests) / processor.virtualMs).toFixed(0),
        `${(100 * badRate).toFixed(2)} %`,
        (processor.virtualMs / processor.cpuMs).toFixed(1),
        planS.toFixed(1),
        peakMB.toFixed(0),
        `${early.toFixed(0)} → ${late.toFixed(0)}`,
      ]),
    ),
  );
  print('\nµs of processor time a request:\n');
  print(
    table(
      ['GPUs', 'all', ...kinds],
      rows.map(({ gpus, processor }) => [
        String(gpus),
        us(processor.cpuMs, processor),
        ...kinds.map(kind => us(processor.kinds.find(one => one.kind === kind)?.cpuMs ?? 0, processor)),
      ]),
    ),
  );
}

if (values.row !== undefined) {
  const gpus = Number(values.row);
  print(JSON.stringify(await measure(gpus, Number(values.seconds ?? secondsFor(gpus)))));
} else {
  print(`${machine()}\n`);
  const rows = values.gpus.split(',').map(gpus => {
    const seconds = values.seconds === undefined ? [] : ['--seconds', values.seconds];
    const args = [ROOM_FOR_YOUNG, '--expose-gc', fileURLToPath(import.meta.url), '--row', gpus, ...seconds];
    return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Row;
  });
  printRows(rows);
}
