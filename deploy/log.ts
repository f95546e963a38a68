import type { Log, LogFacts } from '../contracts/index.ts';
import { styleFor, type Style } from './terminal/index.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** One line of a log, as written by `--log json`: the facts stand beside these fields. */
export interface LogLine {
  /** ISO 8601 */
  readonly time: string;
  readonly level: LogLevel;
  /** Name of the instance. */
  readonly actor: string;
  readonly message: string;
  readonly [fact: string]: unknown;
}

interface LogOptions {
  readonly actor: string;
  readonly write: (line: string) => void;
  readonly unixMs: () => number;
  /** Lesser lines are left out; default info. */
  readonly level?: LogLevel;
}

function makeLog(options: LogOptions, format: (line: LogLine) => string): Log {
  const least = LOG_LEVELS.indexOf(options.level ?? 'info');
  const say =
    (level: LogLevel) =>
    (message: string, facts: LogFacts = {}): void => {
      if (LOG_LEVELS.indexOf(level) < least) return;
      const time = new Date(options.unixMs()).toISOString();
      options.write(`${format({ ...facts, time, level, actor: options.actor, message })}\n`);
    };
  return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
}

/** One JSON object a line, for machines. */
export const jsonLog = (options: LogOptions): Log =>
  makeLog(options, ({ time, level, actor, message, ...facts }) =>
    JSON.stringify({ time, level, actor, message, ...facts }),
  );

/** For people. */
export const prettyLog = (options: LogOptions & { readonly color: boolean }): Log => {
  const style = styleFor(options.color);
  return makeLog(options, line => prettyLine(line, style));
};

/** `12:30:01.250 warn  gpu-a  what happened  fact=value` */
export function prettyLine(line: LogLine, style: Style, withActor = true): string {
  const { time, level, actor, message, ...facts } = line;
  const paint = { debug: style.dim, info: style.green, warn: style.yellow, error: style.red }[level] ?? style.dim;
  const head = `${style.dim(time.slice(11, 23))} ${paint(level.padEnd(5))}${withActor ? ` ${style.bold(actor)} ` : ''}`;
  const tail = Object.entries(facts)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${style.dim(`${name}=`)}${showFact(value)}`);
  return [`${head} ${message}`, ...tail].join('  ');
}

function showFact(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value) ?? '';
  return /[\s"]/.test(value) && !value.includes('\n') ? JSON.stringify(value) : value;
}

/** A line of `--log json`, or undefined when it is something else (a crash's stack, a library's chatter). */
export function parseLogLine(text: string): LogLine | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const line = JSON.parse(text) as Partial<LogLine>;
    const known = LOG_LEVELS.some(level => level === line.level);
    return known && typeof line.message === 'string' && typeof line.time === 'string' ? (line as LogLine) : undefined;
  } catch {
    return undefined;
  }
}
