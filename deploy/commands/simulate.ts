import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Option, type Command } from 'commander';
import { realClock } from '../../bus/index.ts';
import { ConfigError, describeError } from '../../contracts/index.ts';
import { formatProblem } from '../documents/index.ts';
import {
  comparison,
  compile,
  outcomePage,
  outcomeReport,
  processorReport,
  readScenario,
  runForReal,
  searchGoodput,
  searchReport,
  simulate,
  withPolicy,
  type Outcome,
  type ProcessorTime,
  type Progress,
  type Scenario,
  type ScenarioFile,
} from '../simulate/index.ts';
import { formatPercent, progressLine, type Io } from '../terminal/index.ts';
import { EXIT, numberOption, printJson, type ExitCode } from './program.ts';

interface SimulateFlags {
  readonly seed?: number;
  readonly policy?: readonly string[];
  readonly search?: 'goodput';
  readonly precision: number;
  readonly real?: boolean;
  readonly html?: string;
  readonly cpu?: boolean;
  readonly json?: boolean;
}

export function simulateCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  program
    .command('simulate')
    .argument('<scenario>', 'devices, models, queries, streams, faults (YAML)')
    .description('Run a scenario with the production actors on emulated devices, a simulated bus and virtual time.')
    .option('--seed <n>', "instead of the scenario's", numberOption({ min: 0, max: 2 ** 32 - 1, integer: true }))
    .addOption(
      new Option(
        '--policy <file>',
        'a dispatch or packing policy of your own, see docs/policies.md; may be given once for each',
      ).argParser((path: string, before: readonly string[] | undefined) => [...(before ?? []), path]),
    )
    .addOption(new Option('--search <what>', 'find the highest rate with 99 % in time').choices(['goodput']))
    .option('--precision <share>', 'of the search', numberOption({ min: 0.001, max: 1 }), 0.02)
    .option('--real', 'run it in real time as well: a process for each actor on a NATS server; shows both')
    .option('--html <file>', 'write a page with plots: workload, GPUs and bad rate over time, latencies, batches')
    .option('--cpu', 'also tell what the run takes of the processor, by kind of actor')
    .option('--json', 'print the outcome for programs, see docs/simulation.md')
    .addHelpText(
      'after',
      `
Examples:
  ganglion simulate examples/scenarios/traffic.yaml --html traffic.html
  ganglion simulate examples/scenarios/one-model.yaml --search goodput
  ganglion simulate examples/scenarios/four-gpus.yaml --real
  ganglion simulate examples/scenarios/one-model.yaml --policy examples/policies/fullest-first.ts

Ends with 0 when it ran, however good the outcome is; 2 when the scenario is wrong.`,
    )
    .action(async (path: string, flags: SimulateFlags) => {
      const read = await readScenario(path);
      for (const warning of read.warnings) io.err(`${formatProblem(warning)}\n`);
      let file = flags.seed === undefined ? read : { ...read, document: { ...read.document, seed: flags.seed } };
      for (const policy of flags.policy ?? []) file = await withPolicy(file, policy);
      if (flags.search) await search(file, flags, io);
      else await once(file, flags, io);
      end(EXIT.ok);
    });
}

async function once(file: ScenarioFile, { real, html, cpu, json }: SimulateFlags, io: Io): Promise<void> {
  let processor: ProcessorTime | undefined;
  const onProcessor = cpu ? (time: ProcessorTime): void => void (processor = time) : undefined;
  const virtual = await run((scenario, tell) => simulate(scenario, tell, { onProcessor }), file, 1, io);
  const outcome = real ? await run(runForReal, file, 1, io) : virtual;
  if (html !== undefined) await write(html, outcomePage(outcome));
  const measured = processor && { processor };
  if (json) printJson(io, real ? { virtual, real: outcome, ...measured } : { ...virtual, ...measured });
  else {
    const compared = real ? comparison(virtual, outcome, io) : [];
    const told = processor ? processorReport(processor, io) : [];
    io.out(`${[...outcomeReport(outcome, io), ...compared, ...told].join('\n')}\n`);
  }
}

type Run = (scenario: Scenario, onProgress: (progress: Progress) => void) => Promise<Outcome>;

/** Runs it once and says on standard error how it gets on. */
async function run(how: Run, file: ScenarioFile, rateFactor: number, io: Io): Promise<Outcome> {
  const progress = progressLine(io);
  const startedMs = realClock.nowMs();
  try {
    const outcome = await how(compile(file, rateFactor), ({ atMs, totalMs, badRate }) =>
      progress.update(
        atMs / totalMs,
        `${(atMs / 1000).toFixed(0)} s of ${(totalMs / 1000).toFixed(0)} s, ${formatPercent(badRate)} bad`,
      ),
    );
    const tookS = (realClock.nowMs() - startedMs) / 1000;
    const ranS = outcome.warmupS + outcome.durationS;
    const times = rateFactor === 1 ? '' : ` at ${rateFactor.toFixed(3)} × the rates`;
    progress.end(
      outcome.time === 'virtual'
        ? `${ranS} s simulated in ${tookS.toFixed(1)} s, ${(ranS / tookS).toFixed(1)} × real time${times}`
        : `${ranS} s in real time${times}`,
    );
    return outcome;
  } catch (error) {
    progress.end();
    throw error;
  }
}

async function search(file: ScenarioFile, { precision, real, json }: SimulateFlags, io: Io): Promise<void> {
  const found = await searchGoodput(
    async factor => {
      const { offeredHz, goodHz, badRate, queries } = await run(real ? runForReal : simulate, file, factor, io);
      return { factor, offeredHz, goodHz, badRate, frames: queries.reduce((sum, { offered }) => sum + offered, 0) };
    },
    { precision },
  );
  if (json) printJson(io, found);
  else io.out(`${searchReport(found, io).join('\n')}\n`);
}

async function write(file: string, content: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  } catch (error) {
    throw new ConfigError(`can't be written: ${describeError(error)}`, { file }, { cause: error });
  }
}
