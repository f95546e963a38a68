import type { Command } from 'commander';
import { realClock } from '../../bus/index.ts';
import { describeError, sleep, StorageUnavailableError } from '../../contracts/index.ts';
import { readConfig, type StoredConfig } from '../apply/index.ts';
import { natsUrl } from '../connection.ts';
import { alternateScreen, styleFor, type Io } from '../terminal/index.ts';
import { collectView, hostsTable, isAlive, queriesTable, renderTop, troublesOf, type View } from '../view/index.ts';
import {
  EXIT,
  numberOption,
  printJson,
  withBus,
  withClusterFlags,
  type ClusterFlags,
  type ExitCode,
} from './program.ts';

/** Beats come each second: two of each actor are needed for rates. */
const LISTEN_MS = 2_600;

export function topCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  withClusterFlags(program.command('top'))
    .description('Watch a cluster live: rates, outcomes, latency, hosts and their models. Leave with Ctrl-C.')
    .option('--once', 'one frame after two seconds and a half, then end')
    .option('--interval <seconds>', 'between frames', numberOption({ min: 0.2, max: 60 }), 1)
    .option('--width <columns>', 'default: the terminal', numberOption({ min: 40, max: 500, integer: true }))
    .option('--json', 'with --once: the view as JSON')
    .addHelpText('after', '\nExample:\n  ganglion top --once --width 100')
    .action(async (flags: ClusterFlags & { once?: boolean; interval: number; width?: number }) => {
      await withBus(io, flags, 'top', async bus => {
        const collector = collectView(bus, {
          prefix: flags.prefix,
          clock: realClock,
          url: natsUrl(flags.nats, io.env),
        });
        const frame = (height: number): string =>
          renderTop(collector.view(), { width: flags.width ?? io.width, height, color: io.color });
        try {
          if (flags.once || flags.json || !io.outIsTerminal) {
            await sleep(realClock, LISTEN_MS);
            if (flags.json) printJson(io, collector.view());
            else io.out(`${frame(10_000)}\n`);
            return;
          }
          await redraw(io, flags.interval * 1000, () => frame(io.height - 1));
        } finally {
          collector.close();
        }
      });
      end(EXIT.ok);
    });
}

/** Draws until Ctrl-C (or q), then gives the screen back. */
async function redraw(io: Io, everyMs: number, frame: () => string): Promise<void> {
  const screen = alternateScreen(io);
  const leaving = new AbortController();
  const left = new Promise<void>(resolve => leaving.signal.addEventListener('abort', () => resolve()));
  const forget = io.onInterrupt(() => leaving.abort());
  const forgetKeys = io.onKey(key => {
    if (key === 'q' || key === '\u0003') leaving.abort();
  });
  try {
    while (!leaving.signal.aborted) {
      screen.draw(frame());
      await Promise.race([sleep(realClock, everyMs), left]);
    }
  } finally {
    forget();
    forgetKeys();
    screen.leave();
  }
}

export function statusCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  withClusterFlags(program.command('status'))
    .description(
      'How a cluster is doing: first what is wrong and what to do about it, then who is there and what they do.',
    )
    .option('--json', 'print { troubles: [{ severity, what, remedy }], view }')
    .addHelpText(
      'after',
      '\nExample:\n  ganglion status || echo "needs attention"\n\nExit code 1 when something is wrong (errors, not warnings).',
    )
    .action(async (flags: ClusterFlags) => {
      const { view, applied, storage } = await withBus(io, flags, 'status', async bus => {
        const collector = collectView(bus, {
          prefix: flags.prefix,
          clock: realClock,
          url: natsUrl(flags.nats, io.env),
        });
        const stored = readConfig(bus, flags.prefix).catch((error: unknown) => {
          if (error instanceof StorageUnavailableError) return error;
          throw error;
        });
        const [config] = await Promise.all([stored, sleep(realClock, LISTEN_MS)]);
        const view = collector.view();
        collector.close();
        const failed = config instanceof Error;
        return { view, applied: failed ? undefined : config, storage: failed ? describeError(config) : undefined };
      });
      const troubles = troublesOf(view, applied?.queries);
      if (storage !== undefined) {
        troubles.unshift({
          severity: 'error',
          what: `no storage: ${storage}`,
          remedy: 'serving goes on with the last plan; turn JetStream on in nats-server (-js)',
        });
      }
      if (flags.json) printJson(io, { troubles, view });
      else io.out(`${statusLines(io, view, troubles, applied).join('\n')}\n`);
      end(troubles.some(({ severity }) => severity === 'error') ? EXIT.failed : EXIT.ok);
    });
}

function statusLines(
  io: Io,
  view: View,
  troubles: ReturnType<typeof troublesOf>,
  applied: StoredConfig | undefined,
): string[] {
  const style = styleFor(io.color);
  const alive = (all: readonly { name: string; ageMs: number }[]): string =>
    all.length === 0
      ? style.red('none')
      : all.map(one => (isAlive(one as never) ? one.name : style.red(`${one.name} (silent)`))).join(' ');
  const leader = view.allocators.find(one => isAlive(one) && one.beat.role === 'leader');
  const lines = troubles.flatMap(({ severity, what, remedy }) => [
    `${severity === 'error' ? style.red('error') : style.yellow('warning')}  ${what}`,
    style.dim(`         ${remedy}`),
  ]);
  if (lines.length === 0) lines.push(style.green('all is well'));
  lines.push(
    '',
    `${style.dim('NATS')}        ${view.url}`,
    `${style.dim('epoch')}       ${view.plan?.epoch ?? 'no plan yet'}${leader ? `, ${leader.beat.phase}, led by ${leader.name}` : ''}`,
    `${style.dim('allocators')}  ${alive(view.allocators)}`,
    `${style.dim('routers')}     ${alive(view.routers)}`,
    `${style.dim('batchers')}    ${alive(view.batchers)}`,
    `${style.dim('samplers')}    ${alive(view.samplers)}`,
    `${style.dim('applied')}     ${applied ? countsOf(applied) : 'unknown'}`,
    '',
    ...hostsTable(view.hosts, io.width, style),
    '',
    ...queriesTable(view.queries, io.width, style),
  );
  return lines;
}

const countsOf = ({ models, queries, streams }: StoredConfig): string =>
  `${models.length} models, ${queries.length} queries, ${streams.length} streams`;
