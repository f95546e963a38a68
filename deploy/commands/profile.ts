import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { encodeJson, realClock, systemRandom } from '../../bus/index.ts';
import {
  bucketName,
  ConfigError,
  describeError,
  DisconnectedError,
  isToken,
  MODEL_STORE,
  NotFoundError,
  Profile,
  validator,
  type Bus,
  type DeviceSettings,
} from '../../contracts/index.ts';
import { measureProfile, modelFilesFromStore, openDevice, type Device, type ModelFiles } from '../../gpu-host/index.ts';
import { profilesBucket, readConfig } from '../apply/index.ts';
import { natsUrl, openBus } from '../connection.ts';
import { didYouMean } from '../documents/index.ts';
import { prettyLog } from '../log.ts';
import { formatBytes, formatMs, formatRate, progressLine, table, type Io } from '../terminal/index.ts';
import {
  busName,
  EXIT,
  numberOption,
  printJson,
  withClusterFlags,
  type ClusterFlags,
  type ExitCode,
} from './program.ts';
import { deviceSettings } from './device-option.ts';
import { modelsOfFile } from './model-file.ts';

interface ProfileFlags extends ClusterFlags {
  readonly device: DeviceSettings;
  readonly batchMax?: number;
  readonly seconds: number;
  readonly out?: string;
  readonly local?: boolean;
  readonly force?: boolean;
}

const PROFILES_FOLDER = 'profiles';
const profileSchema = validator(Profile);

export function profileCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  withClusterFlags(program.command('profile'))
    .argument('<model>', 'a YAML file, or the name of a model of the cluster')
    .description('Measure what a model costs on a device of this machine: batch → latency, throughput, memory.')
    .option(
      '--device <settings>',
      'cpu, cuda, …; emulated; or JSON like {"kind":"onnx","providers":["cpu"],"threads":2}',
      deviceSettings,
      deviceSettings('cpu'),
    )
    .option('--batch-max <number>', "instead of the model's own", numberOption({ min: 1, max: 1024, integer: true }))
    .option('--seconds <number>', 'for all batch sizes together', numberOption({ min: 0.1, max: 3600 }), 20)
    .option('--out <file>', 'write the profile there, and nowhere else')
    .option('--local', `keep it in ./${PROFILES_FOLDER}/, don't ask for a cluster`)
    .option('--force', 'measure again what was measured before')
    .option('--json', 'print the Profile, with { stored, measured }')
    .addHelpText(
      'after',
      `
Example:
  ganglion profile models/ppocr-det.yaml --device cpu --batch-max 8

Where it is kept: with a cluster in reach (always when --nats is given) in the cluster's bucket of profiles, where the allocator
uses it; else in ./${PROFILES_FOLDER}/. What is there already is shown and not measured again, unless --force.`,
    )
    .action(async (model: string, flags: ProfileFlags) => {
      const bus = await clusterInReach(io, flags);
      try {
        for (const files of await modelsNamed(model, bus, flags)) await profileOne(files, bus, flags, io);
      } finally {
        await bus?.close();
      }
      end(EXIT.ok);
    });
}

/** @throws DisconnectedError only when a server was named */
async function clusterInReach(io: Io, flags: ProfileFlags): Promise<Bus | undefined> {
  if (flags.local || (flags.out !== undefined && flags.nats === undefined)) return undefined;
  try {
    return await openBus({ url: natsUrl(flags.nats, io.env), name: busName('profile') });
  } catch (error) {
    if (!(error instanceof DisconnectedError) || flags.nats !== undefined) throw error;
    return undefined;
  }
}

const looksLikeFile = (model: string): boolean => /\.ya?ml$|[\\/]/.test(model);

async function modelsNamed(model: string, bus: Bus | undefined, flags: ProfileFlags): Promise<ModelFiles[]> {
  if (looksLikeFile(model)) return modelsOfFile(model);
  if (!isToken(model)) throw new ConfigError(`"${model}" is neither a YAML file nor the name of a model`);
  if (!bus)
    throw new ConfigError(`model "${model}" is looked for in a cluster, and none is in reach`, {
      remedy: 'name its YAML file, or a server with --nats',
    });
  const { models } = await readConfig(bus, flags.prefix);
  const stored = models.find(one => one.document.name === model);
  if (!stored)
    throw new NotFoundError(
      `model "${model}"`,
      didYouMean(
        model,
        models.map(one => one.document.name),
        'models',
      ),
    );
  return [modelFilesFromStore(stored, await bus.objectStore(bucketName(flags.prefix, MODEL_STORE)))];
}

async function profileOne(files: ModelFiles, bus: Bus | undefined, flags: ProfileFlags, io: Io): Promise<void> {
  const log = prettyLog({
    actor: 'device',
    write: (line: string) => io.err(line),
    unixMs: () => realClock.unixMs(),
    color: io.color,
    level: 'warn',
  });
  const device = await openDevice(flags.device, { clock: realClock, random: systemRandom, log });
  try {
    const { kind } = device.report;
    const place = await placeFor(files.id, kind, bus, flags);
    const batchMax = Math.min(flags.batchMax ?? Infinity, files.document.batchMax);
    const before = flags.force ? undefined : await place.read();
    // One that was measured up to smaller batches doesn't answer what is asked now.
    const known = before && before.points.at(-1)!.batch >= batchMax ? before : undefined;
    const profile = known ?? (await measure(files, device, batchMax, flags.seconds, io));
    if (!known) await place.write(profile);
    if (flags.json) printJson(io, { ...profile, stored: place.name, measured: !known });
    else
      printProfile(
        io,
        profile,
        known ? `measured before (${place.name}); --force measures again` : `kept in ${place.name}`,
      );
  } finally {
    await device.close();
  }
}

async function measure(files: ModelFiles, device: Device, batchMax: number, seconds: number, io: Io): Promise<Profile> {
  const progress = progressLine(io);
  progress.update(0, `loading ${files.id}`);
  const beganMs = realClock.nowMs();
  const loaded = await device.load(files, { batchMax });
  const loadMs = realClock.nowMs() - beganMs;
  try {
    return await measureProfile(device, loaded, {
      batchMax,
      clock: realClock,
      loadMs,
      seconds,
      onProgress: ({ batch, step, steps, meanMs }) =>
        progress.update(step / steps, `${files.document.name}: batch ${batch} takes ${formatMs(meanMs)}`),
    });
  } finally {
    progress.end();
    await loaded.release();
  }
}

interface Place {
  readonly name: string;
  read(): Promise<Profile | undefined>;
  write(profile: Profile): Promise<void>;
}

/** Bucket `profiles`, key `<model id with @ as .>.<device kind>`, or a file. */
async function placeFor(id: string, kind: string, bus: Bus | undefined, flags: ProfileFlags): Promise<Place> {
  const key = `${id.replace('@', '.')}.${kind}`;
  if (bus && flags.out === undefined) {
    const bucket = await bus.keyValue(profilesBucket(flags.prefix));
    return {
      name: `${bucket.bucket}/${key}`,
      read: async () => profileOf((await bucket.get(key))?.value),
      write: async profile => void (await bucket.put(key, encodeJson(profile))),
    };
  }
  const file = flags.out ?? join(PROFILES_FOLDER, `${key}.json`);
  return {
    name: file,
    read: async () => {
      const content = await readFile(file).catch(() => undefined);
      const profile = profileOf(content);
      return profile?.model === id && profile.device === kind ? profile : undefined;
    },
    write: async profile => {
      try {
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, `${JSON.stringify(profile, undefined, 2)}\n`);
      } catch (error) {
        throw new ConfigError(`can't be written: ${describeError(error)}`, { file }, { cause: error });
      }
    },
  };
}

function profileOf(content: Uint8Array | undefined): Profile | undefined {
  try {
    const value = content && (JSON.parse(Buffer.from(content).toString('utf8')) as unknown);
    return profileSchema.accepts(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function printProfile(io: Io, profile: Profile, where: string): void {
  const { style } = io;
  io.out(
    `${style.bold(profile.model)} on ${profile.device}${profile.emulated ? style.yellow(' (emulated: given, not measured)') : ''}\n`,
  );
  const columns = ['BATCH', 'MEAN', 'STD', 'P99', 'INPUTS/S', 'MEMORY', 'RUNS'].map(title => ({
    title,
    align: 'right' as const,
  }));
  const rows = profile.points.map(point => [
    String(point.batch),
    formatMs(point.meanMs),
    formatMs(point.stdMs),
    formatMs(point.p99Ms),
    formatRate((point.batch / point.meanMs) * 1000),
    formatBytes(point.ephemeralBytes),
    String(point.repeats),
  ]);
  io.out(`${table(columns, rows, { width: io.width, paintTitle: style.dim }).join('\n')}\n`);
  io.out(
    `held ${formatBytes(profile.persistentBytes)}, load ${formatMs(profile.loadMs)}, ` +
      `before ${formatMs(profile.preMs)} and after ${formatMs(profile.postMs)} an input\n`,
  );
  io.out(style.dim(`${where}\n`));
}
