import type { Command } from 'commander';
import { realClock } from '../../bus/index.ts';
import { ConfigError, NotFoundError, Profile, sleep, validator, type Bus } from '../../contracts/index.ts';
import { profilesBucket, readBucket, readConfig } from '../apply/index.ts';
import { didYouMean } from '../documents/index.ts';
import { formatBytes, formatMs, formatRate, table, type Column, type Io } from '../terminal/index.ts';
import { collectView, hostsTable, planLines, storedPlan } from '../view/index.ts';
import { EXIT, printJson, withBus, withClusterFlags, type ClusterFlags, type ExitCode } from './program.ts';

const WHAT = ['models', 'queries', 'streams', 'hosts', 'plan', 'profiles'] as const;
type What = (typeof WHAT)[number];
const LISTEN_MS = 2_200;

/** Things with their names, and how to show many of them. */
interface Listing {
  readonly things: readonly { readonly name: string; readonly value: unknown }[];
  readonly lines: () => readonly string[];
}

export function getCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  withClusterFlags(program.command('get'))
    .argument('[what]', WHAT.join(', '), 'models')
    .argument('[name]', 'one of them, in full')
    .description('Show what a cluster holds.')
    .option('--json', 'print the documents, profiles, beats or plan as they are')
    .addHelpText('after', '\nExample:\n  ganglion get query scoreboard --json')
    .action(async (word: string, name: string | undefined, flags: ClusterFlags) => {
      const what = WHAT.find(one => one === word || one === `${word}s` || one === word.replace(/y$/, 'ies'));
      if (!what) throw new ConfigError(`"${word}" can't be shown`, { remedy: didYouMean(word, WHAT, 'what can') });
      await withBus(io, flags, 'get', async bus => {
        if (what === 'plan') return showPlan(bus, io, flags);
        const listing = await listings[what](bus, io, flags);
        show(listing, what, name, io, flags);
      });
      end(EXIT.ok);
    });
}

function show({ things, lines }: Listing, what: What, name: string | undefined, io: Io, flags: ClusterFlags): void {
  if (name === undefined) {
    if (flags.json)
      printJson(
        io,
        things.map(thing => thing.value),
      );
    else io.out(things.length === 0 ? `no ${what}\n` : `${lines().join('\n')}\n`);
    return;
  }
  const found = things.filter(thing => thing.name === name || thing.name.split('@')[0] === name);
  if (found.length === 0) {
    throw new NotFoundError(
      `"${name}" among the ${what}`,
      didYouMean(
        name,
        things.map(thing => thing.name.split('@')[0]!),
        what,
      ),
    );
  }
  for (const { value } of found) printJson(io, value, flags.json ? undefined : 2);
}

async function showPlan(bus: Bus, io: Io, flags: ClusterFlags): Promise<void> {
  const plan = (await storedPlan(bus, flags.prefix)) ?? (await heardView(bus, flags)).plan;
  if (!plan)
    throw new NotFoundError(
      'a plan',
      'an allocator makes one when there are hosts, models and queries; see: ganglion status',
    );
  if (flags.json) printJson(io, plan);
  else io.out(`${planLines(plan, io.width, io.style).join('\n')}\n`);
}

async function heardView(bus: Bus, flags: ClusterFlags) {
  const collector = collectView(bus, { prefix: flags.prefix, clock: realClock });
  await sleep(realClock, LISTEN_MS);
  collector.close();
  return collector.view();
}

const right = (title: string): Column => ({ title, align: 'right' });
const wide = (title: string): Column => ({ title, flexible: true });

const listings: Record<Exclude<What, 'plan'>, (bus: Bus, io: Io, flags: ClusterFlags) => Promise<Listing>> = {
  models: async (bus, io, { prefix }) => {
    const { models } = await readConfig(bus, prefix);
    const rows = models.map(({ id, bytes, document }) => [
      id,
      document.version,
      `${document.preprocess.kind} → ${document.postprocess.kind}`,
      String(document.batchMax),
      formatBytes(bytes),
      document.licence,
    ]);
    return listing(
      models.map(value => ({ name: value.id, value })),
      io,
      [wide('MODEL'), wide('VERSION'), wide('TAKES → GIVES'), right('BATCH MAX'), right('SIZE'), wide('LICENCE')],
      rows,
    );
  },
  queries: async (bus, io, { prefix, tenant }) => {
    const queries = (await readConfig(bus, prefix)).queries.filter(query => query.tenant === tenant);
    const rows = queries.map(query => [
      query.name,
      formatMs(query.objectiveMs),
      query.prefer ?? 'latency',
      (query.streams ?? ['one-off']).join(' '),
      Object.entries(query.stages)
        .map(([name, stage]) => `${stage.from === undefined ? '' : `${stage.from} → `}${name}:${stage.model}`)
        .join(', '),
    ]);
    return listing(
      queries.map(value => ({ name: value.name, value })),
      io,
      [wide('QUERY'), right('OBJECTIVE'), { title: 'PREFER' }, wide('STREAMS'), wide('STAGES')],
      rows,
    );
  },
  streams: async (bus, io, { prefix, tenant }) => {
    const streams = (await readConfig(bus, prefix)).streams.filter(stream => stream.tenant === tenant);
    const rows = streams.map(stream => [
      stream.name,
      `${formatRate(stream.rateHz)}/s`,
      stream.source.kind,
      stream.skipUnchanged ? 'changes only' : 'every frame',
      stream.sampler ?? 'any',
    ]);
    return listing(
      streams.map(value => ({ name: value.name, value })),
      io,
      [wide('STREAM'), right('RATE'), { title: 'SOURCE' }, { title: 'SENDS' }, { title: 'SAMPLER' }],
      rows,
    );
  },
  hosts: async (bus, io, flags) => {
    const { hosts } = await heardView(bus, flags);
    return {
      things: hosts.map(({ name, beat }) => ({ name, value: { host: name, ...beat } })),
      lines: () => hostsTable(hosts, io.width, io.style),
    };
  },
  profiles: async (bus, io, { prefix }) => {
    const profiles = [...(await readBucket(bus, profilesBucket(prefix), validator(Profile))).values()];
    const rows = profiles.map(profile => {
      const last = profile.points.at(-1)!;
      return [
        profile.model,
        `${profile.device}${profile.emulated ? '*' : ''}`,
        formatMs(profile.points[0]!.meanMs),
        `${formatMs(last.meanMs)} at ${last.batch}`,
        formatRate(Math.max(...profile.points.map(point => (point.batch / point.meanMs) * 1000))),
        formatBytes(profile.persistentBytes),
        formatMs(profile.loadMs),
      ];
    });
    return listing(
      profiles.map(value => ({ name: value.model, value })),
      io,
      [wide('MODEL'), wide('DEVICE'), right('ONE'), right('LARGEST'), right('BEST/S'), right('HELD'), right('LOAD')],
      rows,
    );
  },
};

const listing = (
  things: Listing['things'],
  io: Io,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): Listing => ({ things, lines: () => table(columns, rows, { width: io.width, paintTitle: io.style.dim }) });
