import type { Command } from 'commander';
import { decode, encode, realClock } from '../../bus/index.ts';
import {
  ErrorReply,
  NotFoundError,
  RefusedError,
  RemoteError,
  sleep,
  subjects,
  validator,
  type Bus,
} from '../../contracts/index.ts';
import { didYouMean } from '../documents/index.ts';
import { collectView, isAlive } from '../view/index.ts';
import type { Io } from '../terminal/index.ts';
import {
  EXIT,
  numberOption,
  printJson,
  withBus,
  withClusterFlags,
  type ClusterFlags,
  type ExitCode,
} from './program.ts';

interface DrainFlags extends ClusterFlags {
  readonly force?: boolean;
  readonly within?: number;
  readonly wait?: boolean;
  readonly timeout: number;
}

const REQUEST_TIMEOUT_MS = 15_000;
const LISTEN_MS = 1_500;
const errorReply = validator(ErrorReply);

export function drainCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  withClusterFlags(program.command('drain'))
    .argument('<host>')
    .description('Take a GPU host out politely: its models move first, then its process ends with code 0.')
    .option('--force', 'even if some model can then not be served')
    .option(
      '--within <seconds>',
      'its machine goes away then: models move while there is time, and it leaves before (implies --force)',
      secondsOption,
    )
    .option('--wait', 'until it has left')
    .option('--timeout <seconds>', 'of --wait', numberOption({ min: 1, max: 86_400 }), 300)
    .option('--json', 'print { host, detail, left }')
    .addHelpText(
      'after',
      '\nExample:\n  ganglion drain gpu-a --wait\n  ganglion drain spot-7 --within 120s   # a spot machine that was given notice',
    )
    .action(async (host: string, flags: DrainFlags) => {
      const { detail, left } = await withBus(io, flags, 'drain', async bus => {
        const detail = await askForDrain(bus, host, flags);
        if (!flags.json) io.out(`${detail}\n`);
        return { detail, left: flags.wait ? await hasLeft(bus, host, flags) : undefined };
      });
      if (flags.json) printJson(io, { host, detail, ...(left === undefined ? {} : { left }) });
      else if (left !== undefined)
        io.out(left ? `${host} has left\n` : `${host} is still there after ${flags.timeout} s; see: ganglion status\n`);
      end(left === false ? EXIT.failed : EXIT.ok);
    });
}

/** As 20 or 20s. */
const secondsOption = (text: string): number => numberOption({ min: 1, max: 86_400 })(text.replace(/s$/, ''));

/** @throws NotFoundError for a host that doesn't beat, NoResponderError when no allocator leads, RemoteError */
async function askForDrain(bus: Bus, host: string, flags: DrainFlags): Promise<string> {
  const subject = subjects.drain.at(flags.prefix);
  const { force, within } = flags;
  const request = encode({
    v: 1,
    host,
    ...(force ? { force } : {}),
    ...(within === undefined ? {} : { withinMs: within * 1000 }),
  });
  const reply = decode((await bus.request(subject, request, { timeoutMs: REQUEST_TIMEOUT_MS })).data);
  if (!errorReply.accepts(reply)) return subjects.drain.reply!.check(reply, `answer on ${subject}`).detail;
  const { code, detail, retryable } = reply.error;
  if (code === 'refused') throw new RefusedError(`${detail}\n  --force drains it all the same`);
  if (code === 'not-found') throw new NotFoundError(`host "${host}"`, await nearHosts(bus, host, flags.prefix));
  throw new RemoteError({ subject, remoteCode: code, detail, retryable });
}

async function nearHosts(bus: Bus, host: string, prefix: string): Promise<string> {
  const collector = collectView(bus, { prefix, clock: realClock });
  await sleep(realClock, LISTEN_MS);
  collector.close();
  return didYouMean(
    host,
    collector.view().hosts.map(({ name }) => name),
    'hosts',
  );
}

/** Whether it said goodbye or fell silent within the time allowed. */
async function hasLeft(bus: Bus, host: string, flags: DrainFlags): Promise<boolean> {
  const collector = collectView(bus, { prefix: flags.prefix, clock: realClock });
  const deadlineMs = realClock.nowMs() + flags.timeout * 1000;
  try {
    await sleep(realClock, LISTEN_MS);
    while (realClock.nowMs() < deadlineMs) {
      const seen = collector.view().hosts.find(({ name }) => name === host);
      if (!seen || seen.beat.state === 'left' || !isAlive(seen)) return true;
      await sleep(realClock, 250);
    }
    return false;
  } finally {
    collector.close();
  }
}
