import { dirname, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { ConfigError, type ClusterDocument } from '../../contracts/index.ts';
import { groupSentence } from '../apply/index.ts';
import { launchCluster, type ClusterEvent } from '../cluster/index.ts';
import { DocumentsError, formatProblem, readDocuments } from '../documents/index.ts';
import { LOG_LEVELS, prettyLine, type LogLevel } from '../log.ts';
import { formatMs, padEnd, type Io } from '../terminal/index.ts';
import { EXIT, printJson, type ExitCode } from './program.ts';

interface UpFlags {
  readonly nats?: string;
  readonly tenant?: string;
  readonly data?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly logLevel: LogLevel;
}

export function upCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  program
    .command('up')
    .argument('<cluster>', 'YAML file of kind Cluster')
    .description(
      'Start a cluster on this machine: NATS if asked, every actor as a process, then its files. Ctrl-C stops all.',
    )
    .option('--nats <url>', 'use this NATS server, whatever the file says')
    .option('--tenant <name>', 'of documents that name none')
    .option('--data <folder>', 'for the files of NATS; default ~/.local/state/ganglion/<cluster>')
    .option('--quiet', 'no log lines of the actors, only what happens to them')
    .addOption(new Option('--log-level <level>', 'least level of log lines').choices([...LOG_LEVELS]).default('info'))
    .option('--json', 'print one JSON object per event, see docs/cli.md')
    .addHelpText(
      'after',
      `
Example:
  ganglion up examples/scoreboard/cluster.yaml

An actor that ends with an error is started again, later and later; one that leaves (exit code 0) is not.
Ctrl-C once stops in good order, twice at once.`,
    )
    .action(async (file: string, flags: UpFlags) => end(await up(file, flags, io)));
}

/** @throws DocumentsError, ConfigError when the file isn't one good Cluster */
export async function readCluster(file: string, warn: (text: string) => void): Promise<ClusterDocument> {
  const { documents, problems } = await readDocuments([file]);
  if (problems.some(problem => problem.severity === 'error')) throw new DocumentsError(problems);
  for (const problem of problems) warn(formatProblem(problem));
  const clusters = documents.map(one => one.document).filter(document => document.kind === 'Cluster');
  const [cluster] = clusters;
  if (cluster && clusters.length === 1) return cluster;
  throw new ConfigError(
    `holds ${clusters.length === 0 ? 'no document' : `${clusters.length} documents`} of kind Cluster`,
    {
      file,
      remedy: 'one file starts one cluster; models, queries and streams are applied with: ganglion apply -f FILE',
    },
  );
}

async function up(file: string, flags: UpFlags, io: Io): Promise<ExitCode> {
  const document = await readCluster(file, text => io.err(`${io.style.yellow(text)}\n`));
  const print = flags.json ? (event: ClusterEvent) => printJson(io, event) : prettyEvents(io, flags.quiet ?? false);
  let interrupts = 0;
  let stop: () => void = () => {};
  let killNow: () => void = () => process.exit(EXIT.failed);
  const asked = new Promise<void>(resolve => (stop = resolve));
  const forget = io.onInterrupt(() => {
    interrupts++;
    stop();
    if (interrupts > 1) killNow();
  });
  io.launcher?.onGone(stop);
  try {
    const cluster = await launchCluster({
      document,
      baseDir: dirname(resolve(file)),
      file,
      onEvent: print,
      logLevel: flags.logLevel,
      cancelled: asked,
      ...(flags.nats === undefined ? {} : { natsUrl: flags.nats }),
      ...(flags.tenant === undefined ? {} : { tenant: flags.tenant }),
      ...(flags.data === undefined ? {} : { dataDir: resolve(flags.data) }),
    });
    killNow = () => cluster.killAll();
    await asked;
    await cluster.close();
    return EXIT.ok;
  } catch (error) {
    if (interrupts > 0) return EXIT.ok;
    throw error;
  } finally {
    forget();
    io.launcher?.release();
  }
}

const NAME_COLUMNS = 16;

/** Log lines with the actor's name in a colour of its own in front; the launcher's own news in bold. */
function prettyEvents(io: Io, quiet: boolean): (event: ClusterEvent) => void {
  const { style } = io;
  const paints = [style.cyan, style.magenta, style.blue, style.green, style.yellow];
  const seen = new Map<string, (text: string) => string>();
  const tag = (actor: string): string => {
    let paint = seen.get(actor);
    if (!paint) seen.set(actor, (paint = paints[seen.size % paints.length]!));
    return `${paint(padEnd(actor, NAME_COLUMNS))} ${style.dim('│')} `;
  };
  const say = (actor: string, text: string): void => io.out(`${tag(actor)}${text}\n`);
  return event => {
    switch (event.event) {
      case 'nats':
        return say('nats', style.bold(event.started ? `started at ${event.url}` : `using ${event.url}`));
      case 'starting':
        return;
      case 'ready':
        return say(event.actor, style.bold(`runs after ${formatMs(event.afterMs)} (process ${event.pid})`));
      case 'log':
        return quiet && event.line.level !== 'error'
          ? undefined
          : say(event.actor, prettyLine(event.line, style, false));
      case 'output':
        return quiet ? undefined : say(event.actor, event.text);
      case 'exited': {
        const how = event.signal ? `killed by ${event.signal}` : `ended with code ${event.code}`;
        return say(event.actor, event.expected ? style.dim(how) : style.red(how));
      }
      case 'restarting':
        return say(event.actor, style.yellow(`starts again in ${formatMs(event.inMs)} (failure ${event.failures})`));
      case 'gave-up':
        return say(event.actor, style.red(`stays down: ${event.detail}`));
      case 'applied':
        return say(
          'apply',
          `${event.item} ${event.change}${event.note === undefined ? '' : style.dim(` ${event.note}`)}`,
        );
      case 'group':
        return say('apply', groupSentence(event.group));
      case 'warning':
        return say('apply', style.yellow(event.detail));
      case 'up':
        return say('up', style.bold(`${event.actors.length} actors run; NATS at ${event.url}; stop with Ctrl-C`));
      case 'stopping':
        return say('up', style.bold('stopping'));
      case 'stopped':
        return say('up', style.bold('all stopped'));
    }
  };
}
