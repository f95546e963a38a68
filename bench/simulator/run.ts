/**
 * How fast the simulator is, who takes its time, and how that grows: examples/scenarios/hundred-gpus.yaml with a tenth of its GPUs and
 * streams, as it is, and with ten times as many.
 *
 *   npm run bench:simulator [-- --gpus 10,100,1000 --seconds 30]
 *
 * Two processes for each row: how fast it is, and once more with samples of whose code runs, which slow it down. Processor time of all threads, so that
 * other work on the machine counts less: it still slows memory down.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ROOM_FOR_YOUNG } from '../../deploy/roomy.ts';
import {
  compile,
  readScenario,
  simulate,
  type Outcome,
  type ProcessorTime,
  type Scenario,
} from '../../deploy/simulate/index.ts';
import { machine } from '../lib/machine.ts';
import { table } from '../lib/stats.ts';

const { values } = parseArgs({
  options: {
    gpus: { type: 'string', default: '10,100,1000' },
    /** Virtual, measured. Default: less for more GPUs. */
    seconds: { type: 'string' },
    /** How this program starts itself: GPUs of one row. */
    row: { type: 'string' },
    shares: { type: 'boolean', default: false },
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
  /** Of processor time. */
  readonly planS: number;
  readonly virtualS: number;
  readonly cpuS: number;
  /** Simulated by processor time. */
  readonly speed: number;
  readonly lateSpeed: number;
  readonly peakMB: number;
  /** What is in use after a collection, at a third of the time and at its end. */
  readonly heapMB: readonly [number, number];
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const secondsFor = (gpus: number): number => Math.max(30, Math.min(240, 24_000 / gpus));

async function scenarioOf(gpus: number, seconds: number): Promise<Scenario> {
  const file = await readScenario(SCENARIO);
  const { document } = file;
  const share = gpus / GPUS;
  const devices = document.devices.map(device => ({ ...device, count: Math.round((device.count ?? 1) * share) }));
  const streams = document.streams.map(({ surges: _surges, ...stream }) => {
    return { ...stream, count: Math.max(1, Math.round((stream.count ?? 1) * share)) };
  });
  return compile({ ...file, document: { ...document, devices, streams, durationS: seconds, warmupS: WARMUP_S } }, 1);
}

async function measure(gpus: number, seconds: number): Promise<Row> {
  const scenario = await scenarioOf(gpus, seconds);
  const heapMB: number[] = [];
  const startedMs = cpuMs();
  let plannedMs = 0;
  let half: { readonly atMs: number; readonly cpuMs: number } | undefined;
  let totalMs = 0;
  const outcome: Outcome = await simulate(scenario, progress => {
    const { atMs } = progress;
    totalMs = progress.totalMs;
    plannedMs ||= cpuMs() - startedMs;
    if (atMs >= totalMs / 2) half ??= { atMs, cpuMs: cpuMs() };
    if (atMs !== totalMs && (heapMB.length > 0 || atMs < totalMs / 3)) return;
    globalThis.gc?.();
    heapMB.push(process.memoryUsage().heapUsed / 1e6);
  });
  const endedMs = cpuMs();
  return {
    gpus,
    used: outcome.gpus.usedMean,
    badRate: outcome.badRate,
    planS: plannedMs / 1000,
    virtualS: totalMs / 1000,
    cpuS: (endedMs - startedMs) / 1000,
    speed: totalMs / (endedMs - startedMs),
    lateSpeed: (totalMs - half!.atMs) / (endedMs - half!.cpuMs),
    peakMB: process.resourceUsage().maxRSS / 1000,
    heapMB: [heapMB[0]!, heapMB.at(-1)!],
  };
}

/** Whose code takes the time. */
async function shares(gpus: number, seconds: number): Promise<ProcessorTime> {
  let processor: ProcessorTime | undefined;
  await simulate(await scenarioOf(gpus, seconds), () => {}, { onProcessor: time => (processor = time) });
  return processor!;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function printRows(rows: readonly { readonly row: Row; readonly processor: ProcessorTime }[]): void {
  const kinds = [...new Set(rows.flatMap(({ processor }) => processor.kinds.map(({ kind }) => kind)))];
  const requestsHz = ({ requests, virtualMs }: ProcessorTime): number => (1000 * requests) / virtualMs;
  print(
    table(
      [
        'GPUs',
        'used',
        'requests/s',
        'bad',
        '× real time',
        'second half',
        'until the first second, s',
        'peak RSS, MB',
        'heap, MB',
      ],
      rows.map(
        ({
          row: {
            gpus,
            used,
            badRate,
            planS,
            speed,
            lateSpeed,
            peakMB,
            heapMB: [early, late],
          },
          processor,
        }) => [
          String(gpus),
          used.toFixed(0),
          requestsHz(processor).toFixed(0),
          `${(100 * badRate).toFixed(2)} %`,
          speed.toFixed(1),
          lateSpeed.toFixed(1),
          planS.toFixed(1),
          peakMB.toFixed(0),
          `${early.toFixed(0)} → ${late.toFixed(0)}`,
        ],
      ),
    ),
  );
  print('\nµs of processor time a request, and whose code takes them:\n');
  print(
    table(
      ['GPUs', 'all', ...kinds],
      rows.map(({ row: { gpus, virtualS, cpuS }, processor }) => {
        const us = (1e6 * cpuS) / (virtualS * requestsHz(processor));
        const of = (kind: string): number => processor.kinds.find(one => one.kind === kind)?.cpuMs ?? 0;
        return [String(gpus), us.toFixed(1), ...kinds.map(kind => ((us * of(kind)) / processor.cpuMs).toFixed(1))];
      }),
    ),
  );
}

if (values.row !== undefined) {
  const gpus = Number(values.row);
  print(JSON.stringify(await (values.shares ? shares : measure)(gpus, Number(values.seconds ?? secondsFor(gpus)))));
} else {
  print(`${machine()}\n`);
  const ask = (gpus: string, ...more: string[]): unknown => {
    const seconds = values.seconds === undefined ? [] : ['--seconds', values.seconds];
    const args = [ROOM_FOR_YOUNG, '--expose-gc', fileURLToPath(import.meta.url), '--row', gpus, ...seconds, ...more];
    return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  };
  const rows = values.gpus
    .split(',')
    .map(gpus => ({ row: ask(gpus) as Row, processor: ask(gpus, '--shares') as ProcessorTime }));
  printRows(rows);
}
