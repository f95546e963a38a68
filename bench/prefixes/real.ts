import { readDocuments } from '../../deploy/documents/index.ts';
import { restrictReader } from '../../deploy/specialize/index.ts';
import { realClock, systemRandom } from '../../bus/index.ts';
import { ConfigError, silentLog, sleep } from '../../contracts/index.ts';
import { commonPrefixes, readModel, signatureOf } from '../../gpu-host/graph/index.ts';
import { modelFilesFromDisk, openDevice, type Device, type Member, type ModelFiles } from '../../gpu-host/index.ts';
import { rssBytes } from '../lib/processes.ts';
import { median } from '../lib/stats.ts';

const READER = 'examples/models/ppocr-rec.yaml';
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const BATCH = 8;
/** Of a crop that shows a score. */
const WIDTH = 96;
const ROUNDS = 30;
const WARM_UPS = 3;
const ADDED = 5;
/** The thread that cuts is gone after ten seconds without work. */
const SETTLE_MS = 12_000;

/** What loading takes, in a process that did nothing before. */
export interface Loading {
  readonly loadMs: number;
  /** What the process has grown by when all were loaded and have run, and the device has come to rest. */
  readonly rssMB: number;
  /** P, as planners reckon with it. */
  readonly persistentMB: number;
}

/** Inputs for each second of processor time in batches of eight, and what one more takes, wall and processor time: all in one process, by turns. */
export interface Speed {
  readonly one: number;
  readonly apart: number;
  readonly grouped: number;
  readonly added: Readonly<Record<'whole' | 'suffix', { readonly ms: number; readonly cpuMs: number }>>;
}

/** Variants of the recogniser on one CPU thread, in this process. @param collect runs the garbage collector */
export async function loading(variants: number, grouped: boolean, collect: () => void): Promise<Loading> {
  const files = await variantsOf(Math.max(2, variants));
  const cut = await sharedCut(files.slice(0, 2));
  const device = await openCpu();
  collect();
  const beforeBytes = rssBytes(process.pid);
  const startMs = realClock.nowMs();
  const open = grouped ? await openGroup(device, files[0]!, cut) : openApart(device);
  for (const file of files.slice(0, variants)) await open.add(file);
  const loadMs = realClock.nowMs() - startMs;
  await open.round();
  await sleep(realClock, SETTLE_MS);
  collect();
  const rssMB = (rssBytes(process.pid) - beforeBytes) / 1e6;
  const persistentMB = open.persistentBytes() / 1e6;
  await device.close();
  return { loadMs, rssMB, persistentMB };
}

export async function speed(variants: number): Promise<Speed> {
  const files = await variantsOf(variants + ADDED);
  const device = await openCpu();
  const cut = await sharedCut(files.slice(0, 2));
  const [one, apart, grouped] = [openApart(device), openApart(device), await openGroup(device, files[0]!, cut)];
  await one.add(files[0]!);
  for (const file of files.slice(0, variants)) {
    await apart.add(file);
    await grouped.add(file);
  }
  const all = [one, apart, grouped];
  for (let i = 0; i < WARM_UPS; i++) for (const open of all) await open.round();
  const spentMs = all.map(() => 0);
  for (let i = 0; i < ROUNDS; i++)
    for (const [at, open] of all.entries()) spentMs[at]! += (await timed(() => open.round())).cpuMs;
  const [ofOne, ofApart, ofGrouped] = spentMs.map(ms => (ROUNDS * BATCH * 1000) / ms);
  const [whole, suffix] = [[] as Timed[], [] as Timed[]];
  for (const file of files.slice(variants)) {
    whole.push(await timed(() => apart.add(file)));
    suffix.push(await timed(() => grouped.add(file)));
  }
  await device.close();
  return {
    one: ofOne!,
    apart: ofApart!,
    grouped: ofGrouped!,
    added: { whole: medians(whole), suffix: medians(suffix) },
  };
}

const openCpu = (): Promise<Device> =>
  openDevice({ kind: 'onnx', threads: 1 }, { clock: realClock, random: systemRandom, log: silentLog });

interface Opened {
  add(files: ModelFiles): Promise<void>;
  /** Eight inputs, by turns for all variants. */
  round(): Promise<void>;
  persistentBytes(): number;
}

function openApart(device: Device): Opened {
  const loaded: Awaited<ReturnType<Device['load']>>[] = [];
  const deal = dealer(loaded);
  return {
    add: async files => void loaded.push(await device.load(files, { batchMax: BATCH })),
    round: async () => {
      for (const [model, count] of deal()) await model.run(await times(count, async () => model.blank()));
    },
    persistentBytes: () => loaded.reduce((sum, model) => sum + model.persistentBytes, 0),
  };
}

async function openGroup(device: Device, from: ModelFiles, cut: string): Promise<Opened> {
  const prefix = await device.loadPrefix(from, { cut, batchMax: BATCH });
  const suffixes: Awaited<ReturnType<typeof prefix.loadSuffix>>[] = [];
  const deal = dealer(suffixes);
  return {
    add: async member => void suffixes.push(await prefix.loadSuffix(member, { batchMax: BATCH })),
    round: async () => {
      const members: Member[] = [];
      for (const [suffix, count] of deal())
        members.push({ suffix: suffix.id, inputs: await times(count, async () => suffix.blank()) });
      await prefix.runMixed(members);
    },
    persistentBytes: () => suffixes.reduce((sum, suffix) => sum + suffix.persistentBytes, prefix.persistentBytes),
  };
}

/** By turns: which take part in the next round, and how many inputs each; the first ones more. */
function dealer<T>(among: readonly T[]): () => [T, number][] {
  let next = 0;
  return () => {
    const count = Math.min(BATCH, among.length);
    const chosen = Array.from({ length: count }, (_, i) => among[(next + i) % among.length]!);
    next += count;
    return chosen.map((one, i): [T, number] => [one, Math.floor(BATCH / count) + (i < BATCH % count ? 1 : 0)]);
  };
}

const times = <T>(count: number, make: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, make));

interface Timed {
  readonly ms: number;
  readonly cpuMs: number;
}

async function timed(work: () => Promise<void>): Promise<Timed> {
  const [startMs, cpu] = [realClock.nowMs(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { ms: realClock.nowMs() - startMs, cpuMs: (user + system) / 1000 };
}

const medians = (all: readonly Timed[]): Timed => ({
  ms: median(all.map(({ ms }) => ms)),
  cpuMs: median(all.map(({ cpuMs }) => cpuMs)),
});

/** Digits and one letter more each: heads of their own on one trunk. */
async function variantsOf(count: number): Promise<ModelFiles[]> {
  const { documents } = await readDocuments([READER]);
  const [found] = documents;
  if (found?.document.kind !== 'Model') throw new ConfigError('holds no model', { file: READER });
  const { preprocess } = found.document;
  if (preprocess.kind !== 'picture') throw new ConfigError('reads no pictures', { file: READER });
  const narrow = { ...found.document, preprocess: { ...preprocess, width: WIDTH } };
  const whole = await modelFilesFromDisk(narrow, found.baseDir);
  const all: ModelFiles[] = [];
  for (let i = 0; i < count; i++) {
    const name = `variant-${i}`;
    const { document, contents } = await restrictReader(whole, { wanted: `0123456789${LETTERS[i]}`, name });
    const id = `${name}@${i.toString(16).padStart(12, '0')}`;
    all.push({ id, document, read: async file => contents.get(file)! });
  }
  return all;
}

async function sharedCut(files: readonly ModelFiles[]): Promise<string> {
  const signatures = await Promise.all(
    files.map(async model => {
      const bytes = await model.read(model.document.file);
      return signatureOf(model.id, readModel(bytes, { name: model.id }));
    }),
  );
  return commonPrefixes(signatures)[0]!.best.hash.slice(0, 12);
}
