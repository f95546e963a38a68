import { styleFor, type Style } from './style.ts';

/** Where a command reads its surroundings and writes: the process, or a test. */
export interface Io {
  /** Writes to standard output as is; a line brings its own end. */
  out(text: string): void;
  /** Writes to standard error as is. */
  err(text: string): void;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** Columns and rows of the terminal; 80 × 24 where there is none. */
  readonly width: number;
  readonly height: number;
  readonly color: boolean;
  readonly style: Style;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Calls back at the first Ctrl-C or SIGTERM, and at each further one. */
  onInterrupt(listener: (signal: NodeJS.Signals) => void): () => void;
  /** Calls back for each key pressed, where standard input is a terminal. Ctrl-C then comes as the key \u0003. */
  onKey(listener: (key: string) => void): () => void;
  /** The process that launched this one and wants to hear of it, if any. */
  readonly launcher: Launcher | undefined;
}

export interface Launcher {
  /** Tells it that this process does its work now. */
  ready(): void;
  /** Calls back when it is gone, however it went. */
  onGone(listener: () => void): void;
  /** Lets go of it, so that this process can end. */
  release(): void;
}

/** Colours: never with NO_COLOR, always with FORCE_COLOR, else on a terminal that isn't dumb. */
function wantsColor(env: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  if ((env['NO_COLOR'] ?? '') !== '') return false;
  const force = env['FORCE_COLOR'];
  if (force !== undefined && force !== '0' && force !== 'false') return true;
  return isTerminal && env['TERM'] !== 'dumb';
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function processIo(): Io {
  const color = wantsColor(process.env, process.stdout.isTTY);
  return {
    out: text => void process.stdout.write(text),
    err: text => void process.stderr.write(text),
    outIsTerminal: process.stdout.isTTY ?? false,
    errIsTerminal: process.stderr.isTTY ?? false,
    get width() {
      return process.stdout.columns ?? 80;
    },
    get height() {
      return process.stdout.rows ?? 24;
    },
    color,
    style: styleFor(color),
    env: process.env,
    onInterrupt: listener => {
      for (const signal of SIGNALS) process.on(signal, listener);
      return () => {
        for (const signal of SIGNALS) process.off(signal, listener);
      };
    },
    launcher: process.send ? channelToLauncher() : undefined,
    onKey: listener => {
      const { stdin } = process;
      if (!stdin.isTTY) return () => {};
      const hear = (key: Buffer): void => listener(key.toString());
      stdin.setRawMode(true).resume().on('data', hear);
      return () => {
        stdin.off('data', hear);
        stdin.setRawMode(false).pause();
      };
    },
  };
}

const channelToLauncher = (): Launcher => ({
  ready: () => void process.send?.({ ready: true }),
  onGone: listener => void process.once('disconnect', listener),
  release: () => {
    if (process.connected) process.disconnect();
  },
});
