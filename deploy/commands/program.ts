import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import {
  ConfigError,
  DEFAULT_PREFIX,
  DEFAULT_TENANT,
  GanglionError,
  isToken,
  type Bus,
} from '../../contracts/index.ts';
import { toJson } from '../../bus/index.ts';
import { natsUrl, openBus } from '../connection.ts';
import { DocumentsError } from '../documents/index.ts';
import type { Io } from '../terminal/index.ts';

/** Exit codes of every command. */
export const EXIT = {
  ok: 0,
  /** Something that may work another time: no NATS, a request dropped, an actor that crashed. */
  failed: 1,
  /** Wrong command line, file or configuration: trying again can't help. */
  usage: 2,
  /** `plan`: there is a plan, but it refuses somebody. */
  refused: 3,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Options that commands which talk to a cluster share. */
export interface ClusterFlags {
  readonly nats?: string;
  readonly prefix: string;
  readonly tenant: string;
  readonly json?: boolean;
}

const token = (value: string): string => {
  if (!isToken(value)) throw new InvalidArgumentError('Use A-Z a-z 0-9 _ - (at most 64).');
  return value;
};

/** `--nats`, `--prefix`, `--tenant` */
export const withClusterFlags = (command: Command): Command =>
  command
    .option('--nats <url>', 'NATS server; default $GANGLION_NATS or nats://127.0.0.1:4222')
    .addOption(new Option('--prefix <name>', 'first token of all subjects').argParser(token).default(DEFAULT_PREFIX))
    .addOption(new Option('--tenant <name>', 'whose queries and streams').argParser(token).default(DEFAULT_TENANT));

/** An option's number with bounds. */
export const numberOption =
  (bounds: { min: number; max?: number; integer?: boolean }) =>
  (text: string): number => {
    const value = Number(text);
    const { min, max = Number.MAX_SAFE_INTEGER, integer = false } = bounds;
    if (
      text.trim() === '' ||
      !Number.isFinite(value) ||
      value < min ||
      value > max ||
      (integer && !Number.isInteger(value))
    ) {
      const range = max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `from ${min} to ${max}`;
      throw new InvalidArgumentError(`It must be a ${integer ? 'whole ' : ''}number ${range}.`);
    }
    return value;
  };

export const busName = (command: string): string => `ganglion ${command} (${process.pid})`;

/** Runs `work` on a connection and closes it, whatever happens. */
export async function withBus<T>(
  io: Io,
  flags: ClusterFlags,
  command: string,
  work: (bus: Bus) => Promise<T>,
): Promise<T> {
  const bus = await openBus({ url: natsUrl(flags.nats, io.env), name: busName(command) });
  try {
    return await work(bus);
  } finally {
    await bus.close();
  }
}

/** One JSON value on a line of its own, binary as base64. */
export const printJson = (io: Io, value: unknown, indent?: number): void => io.out(`${toJson(value, indent)}\n`);

/** Says what went wrong, on standard error; with `--json` as `{ "error": { code, detail, retryable } }`. @returns the exit code */
export function reportFailure(io: Io, error: unknown, json: boolean): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const known = error instanceof GanglionError;
  const code = error instanceof DocumentsError || error instanceof ConfigError ? EXIT.usage : EXIT.failed;
  const detail = error instanceof Error ? error.message : String(error);
  if (json) {
    const problems = error instanceof DocumentsError ? { problems: error.problems } : {};
    const facts = known
      ? { code: error.code, detail, retryable: error.retryable }
      : { code: 'internal', detail, retryable: false };
    io.err(`${toJson({ error: { ...facts, ...problems } })}\n`);
    return code;
  }
  const { red } = io.style;
  if (error instanceof DocumentsError) {
    const errors = error.problems.filter(problem => problem.severity === 'error').length;
    io.err(`${detail}\n${red(`${errors} ${errors === 1 ? 'problem' : 'problems'}; nothing was changed`)}\n`);
  } else if (known) io.err(`${red('ganglion:')} ${detail}\n`);
  else io.err(`${red('ganglion:')} ${error instanceof Error && !isPlain(error) ? (error.stack ?? detail) : detail}\n`);
  return code;
}

/** Errors of the system and of libraries that a stack would not make clearer. */
const isPlain = (error: Error): boolean => error.constructor === Error || 'syscall' in error;
