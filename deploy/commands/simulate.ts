import { Option, type Command } from 'commander';
import { realClock } from '../../bus/index.ts';
import { formatProblem } from '../documents/index.ts';
import {
  compile,
  outcomeReport,
  readScenario,
  searchGoodput,
  searchReport,
  simulate,
  type Outcome,
  type ScenarioFile,
} from '../simulate/index.ts';
import { formatPercent, progressLine, type Io } from '../terminal/index.ts';
import { EXIT, numberOption, printJson, type ExitCode } from './program.ts';

interface SimulateFlags {
  readonly seed?: number;
  readonly search?: 'goodput';
  readonly precision: number;
  readonly json?: boolean;
}

export function simulateCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  program
    .command('simulate')
    .argument('<scenario>', 'devices, models, queries, streams, faults (YAML)')
    .description('Run a scenario with the production actors on emulated devices, a simulated bus and virtual time.')
    .option('--seed <n>', "instead of the scenario's", numberOption({ min: 0, max: 2 ** 32 - 1, integer: true }))
    .addOption(new Option('--search <what>', 'find the highest rate with 99 % in time').choices(['goodput']))
    .option('--precision <share>', 'of the search', numberOption({ min: 0.001, max: 1 }), 0.02)
    .option('--json', 'print the outcome for programs, see docs/simulation.md')
    .addHelpText(
      'after',
      `
Examples:
  ganglion simulate examples/scenarios/traffic.yaml
  ganglion simulate examples/scenarios/one-model.yaml --search goodput

Ends with 0 when it ran, however good the outcome is; 2 when the scenario is wrong.`,
    )
    .action(async (path: string, flags: SimulateFlags) => {
      const read = await readScenario(path);
      for (const warning of read.warnings) io.err(`${formatProblem(warning)}\n`);
      const file = flags.seed === undefined ? read : { ...read, document: { ...read.document, seed: flags.seed } };
      if (flags.search) await search(file, flags, io);
      else {
        const outcome = await runOnce(file, 1, io);
        if (flags.json) printJson(io, outcome);
        else io.out(`${outcomeReport(outcome, io).join('\n')}\n`);
      }
      end(EXIT.ok);
    });
}

async function runOnce(file: ScenarioFile, rateFactor: number, io: Io): Promise<Outcome> {
  const scenario = compile(file, rateFactor);
  const progress = progressLine(io);
  const startedMs = realClock.nowMs();
  try {
    const outcome = await simulate(scenario, ({ atMs, totalMs, badRate }) =>
      progress.update(
        atMs / totalMs,
        `${(atMs / 1000).toFixed(0)} s of ${(totalMs / 1000).toFixed(0)} s, ${formatPercent(badRate)} bad`,
      ),
    );
    const tookS = (realClock.nowMs() - startedMs) / 1000;
    const simulatedS = outcome.warmupS + outcome.durationS;
    const times = rateFactor === 1 ? '' : ` at ${rateFactor.toFixed(3)} × the rates`;
    progress.end(
      `${simulatedS} s simulated in ${tookS.toFixed(1)} s, ${(simulatedS / tookS).toFixed(1)} × real time${times}`,
    );
    return outcome;
  } catch (error) {
    progress.end();
    throw error;
  }
}

async function search(file: ScenarioFile, { precision, json }: SimulateFlags, io: Io): Promise<void> {
  const found = await searchGoodput(async factor => {
    const { offeredHz, goodHz, badRate } = await runOnce(file, factor, io);
    return { factor, offeredHz, goodHz, badRate };
  }, precision);
  if (json) printJson(io, found);
  else io.out(`${searchReport(found, io).join('\n')}\n`);
}
