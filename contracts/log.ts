/** Facts of a log line: flat, JSON-able. */
export type LogFacts = Readonly<Record<string, string | number | boolean | null | undefined | readonly string[]>>;

/** Where production code says what happened. Lines are for operators: what, where, what to do. */
export interface Log {
  debug(message: string, facts?: LogFacts): void;
  info(message: string, facts?: LogFacts): void;
  warn(message: string, facts?: LogFacts): void;
  error(message: string, facts?: LogFacts): void;
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
