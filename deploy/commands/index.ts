import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { Io } from '../terminal/index.ts';
import { EXIT, reportFailure, type ExitCode } from './program.ts';

export { EXIT, type ExitCode } from './program.ts';

type Register = (program: Command, io: Io, end: (code: ExitCode) => void) => void;

/** Loaded one by one: an actor that starts has no use for the pictures of `infer`. */
const COMMANDS: Readonly<Record<string, () => Promise<Register>>> = {
  up: async () => (await import('./up.ts')).upCommand,
  run: async () => (await import('./run.ts')).runCommand,
  apply: async () => (await import('./apply.ts')).applyCommand,
  delete: async () => (await import('./apply.ts')).deleteCommand,
  get: async () => (await import('./get.ts')).getCommand,
  status: async () => (await import('./watch.ts')).statusCommand,
  top: async () => (await import('./watch.ts')).topCommand,
  results: async () => (await import('./results.ts')).resultsCommand,
  infer: async () => (await import('./infer.ts')).inferCommand,
  profile: async () => (await import('./profile.ts')).profileCommand,
  plan: async () => (await import('./plan.ts')).planCommand,
  prefix: async () => (await import('./prefix.ts')).prefixCommand,
  simulate: async () => (await import('./simulate.ts')).simulateCommand,
  specialize: async () => (await import('./specialize.ts')).specializeCommand,
  drain: async () => (await import('./drain.ts')).drainCommand,
  chaos: async () => (await import('./chaos.ts')).chaosCommand,
};

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
  const named = args[0] !== undefined && Object.hasOwn(COMMANDS, args[0]) ? [args[0]] : Object.keys(COMMANDS);
  for (const name of named) (await COMMANDS[name]!())(program, io, ended => (code = ended));
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
