import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { Io } from '../terminal/index.ts';
import { applyCommand, deleteCommand } from './apply.ts';
import { drainCommand } from './drain.ts';
import { getCommand } from './get.ts';
import { inferCommand } from './infer.ts';
import { profileCommand } from './profile.ts';
import { EXIT, reportFailure, type ExitCode } from './program.ts';
import { resultsCommand } from './results.ts';
import { runCommand } from './run.ts';
import { upCommand } from './up.ts';
import { statusCommand, topCommand } from './watch.ts';

export { EXIT, type ExitCode } from './program.ts';

const COMMANDS = [
  upCommand,
  runCommand,
  applyCommand,
  deleteCommand,
  getCommand,
  statusCommand,
  topCommand,
  resultsCommand,
  inferCommand,
  profileCommand,
  drainCommand,
];

/** Runs one command line (without `node` and the script). Never throws: what goes wrong is said, and is the exit code. */
export async function ganglion(args: readonly string[], io: Io): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const program = new Command('ganglion')
    .description('Analyse many video streams with deep neural networks on many GPUs, within latency objectives.')
    .version(version(), '-V, --version')
    .showHelpAfterError('(ganglion --help tells more)')
    .configureOutput({
      writeOut: text => io.out(text),
      writeErr: text => io.err(text),
      getOutHelpWidth: () => io.width,
      getErrHelpWidth: () => io.width,
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 it went wrong (trying again can help), 2 wrong command line, file or configuration.\nMore: docs/cli.md',
    )
    .exitOverride();
  for (const register of COMMANDS) register(program, io, ended => (code = ended));
  for (const command of program.commands) command.exitOverride().copyInheritedSettings(program);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    code = reportFailure(io, error, args.includes('--json'));
  }
  return code;
}

const version = (): string =>
  (JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string }).version;
