import type { Command } from 'commander';
import { decode } from '../../bus/index.ts';
import { subjects, type Result } from '../../contracts/index.ts';
import { labelledBoxes } from '../annotate/index.ts';
import { cut, formatMs, padEnd, type Io, type Style } from '../terminal/index.ts';
import {
  EXIT,
  numberOption,
  printJson,
  withBus,
  withClusterFlags,
  type ClusterFlags,
  type ExitCode,
} from './program.ts';

interface ResultsFlags extends ClusterFlags {
  readonly stream?: string;
  readonly count?: number;
  readonly timeout?: number;
}

export function resultsCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  withClusterFlags(program.command('results'))
    .argument('[query]', 'default: all queries of the tenant')
    .description('Follow results as they come, a line each. Leave with Ctrl-C.')
    .option('--stream <name>', 'of one stream')
    .option('-n, --count <number>', 'end after so many', numberOption({ min: 1, integer: true }))
    .option(
      '--timeout <seconds>',
      'end after so long (exit code 1 if --count is not reached)',
      numberOption({ min: 0.1 }),
    )
    .option('--json', 'print each Result as one line of JSON (binary as base64)')
    .addHelpText('after', '\nExample:\n  ganglion results scoreboard --stream game-1 --count 10 --json | jq .outcome')
    .action(async (query: string | undefined, flags: ResultsFlags) => {
      const complete = await withBus(io, flags, 'results', async bus => {
        const subject = subjects.results.at(flags.prefix, {
          tenant: flags.tenant,
          ...(query === undefined ? {} : { query }),
          ...(flags.stream === undefined ? {} : { stream: flags.stream }),
        });
        let seen = 0;
        let done: (complete: boolean) => void = () => {};
        const ended = new Promise<boolean>(resolve => (done = resolve));
        const subscription = bus.subscribe(subject, message => {
          const result = decode(message.data);
          if (!subjects.results.message.accepts(result) || (flags.count !== undefined && seen >= flags.count)) return;
          seen++;
          if (flags.json) printJson(io, result);
          else io.out(`${resultLine(result, io.style, io.outIsTerminal ? io.width : undefined)}\n`);
          if (seen === flags.count) done(true);
        });
        const forget = io.onInterrupt(() => done(true));
        const timer =
          flags.timeout === undefined
            ? undefined
            : setTimeout(() => done(flags.count === undefined), flags.timeout * 1000);
        const answer = await ended;
        clearTimeout(timer);
        forget();
        subscription.unsubscribe();
        return answer;
      });
      end(complete ? EXIT.ok : EXIT.failed);
    });
}

/** `scoreboard game-1 #1042  ok  77.5 ms  LIONS 3 · TIGERS 2`; with `width` cut to it. */
export function resultLine(result: Result, style: Style, width?: number): string {
  const paint = { ok: style.green, late: style.yellow, dropped: style.yellow, failed: style.red, rejected: style.red };
  const where = [result.query, result.stream, result.seq === undefined ? undefined : `#${result.seq}`];
  const { boxes, whole } = labelledBoxes(result);
  const texts = [...whole, ...boxes.map(({ text }) => text).filter(text => text !== '')];
  const silent = boxes.length - boxes.filter(({ text }) => text !== '').length;
  const { trouble } = result;
  const words = trouble
    ? `${trouble.reason} at ${trouble.at}${trouble.stage === undefined ? '' : ` (${trouble.stage})`}: ${trouble.detail}`
    : [...texts, ...(silent > 0 ? [`${silent} ${silent === 1 ? 'box' : 'boxes'}`] : [])].join(' · ');
  const line = [
    padEnd(where.filter(part => part !== undefined).join(' '), 24),
    paint[result.outcome](padEnd(result.outcome, 8)),
    `${padEnd(formatMs(result.latencyMs), 9)}${result.emulated ? style.yellow('emulated ') : ''}`,
    trouble ? style.dim(words) : words,
  ].join(' ');
  return width === undefined ? line : cut(line, width);
}
