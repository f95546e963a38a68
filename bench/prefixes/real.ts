import { readDocuments } from '../../deploy/documents/index.ts';
import { restrictReader } from '../../deploy/specialize/index.ts';
import { realClock, systemRandom } from '../../bus/index.ts';
import { ConfigError, silentLog } from '../../contracts/index.ts';
import { commonPrefixes, readModel, signatureOf } from '../../gpu-host/graph/index.ts';
import { modelFilesFromDisk, openDevice, type Device, type Member, type ModelFiles } from '../../gpu-host/index.ts';
import { rssBytes } from '../lib/processes.ts';

const READER = 'examples/models/ppocr-rec.yaml';
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const BATCH = 8;
/** Of a crop that shows a score. */
const WIDTH = 96;
const ROUNDS = 30;

export interface Real {
  readonly loadMs: number;
  /** One more variant beside those. */
  readonly addMs: number;
  /** What the process grew by when all were loaded and had run. */
  readonly rssMB: number;
  /** P, as planners reckon with it. */
  readonly persistentMB: number;
  /** Inputs for each second of processor time, in batches of eight over all variants. */
  readonly perSecond: number;
}

/** Variants of the recogniser on one CPU thread, in this process. */
export async function real(variants: number, grouped: boolean): Promise<Real> {
  const files = await variantsOf(variants + 1);
  const device = await openDevice(
    { kind: 'onnx', threads: 1 },
    { clock: realClock, random: systemRandom, log: silentLog },
  );
  try {
    const beforeBytes = rssBytes(process.pid);
    const open = grouped ? await openGroup(device, files) : openApart(device);
    const loadMs = await timed(async () => {
      for (const file of files.slice(0, variants)) await open.add(file);
    });
    await open.round();
    const rssMB = (rssBytes(process.pid) - beforeBytes) / 1e6;
    const persistentMB = open.persistentBytes() / 1e6;
    const cpu = process.cpuUsage();
    for (let i = 0; i < ROUNDS; i++) await open.round();
    const { user, system } = process.cpuUsage(cpu);
    const addMs = await timed(() => open.add(files[variants]!));
    return {
      loadMs: loadMs + open.prefixMs,
      addMs,
      rssMB,
      persistentMB,
      perSecond: (ROUNDS * BATCH * 1e6) / (user + system),
    };
  } finally {
    await device.close();
  }
}

interface Opened {
  readonly prefixMs: number;
  add(files: ModelFiles): Promise<void>;
  /** Eight inputs, by turns for all variants. */
  round(): Promise<void>;
  persistentBytes(): number;
}

function openApart(device: Device): Opened {
  const loaded: Awaited<ReturnType<Device['load']>>[] = [];
  return {
    prefixMs: 0,
    add: async files => void loaded.push(await device.load(files, { batchMax: BATCH })),
    round: async () => {
      for (const [model, count] of dealt(loaded)) await model.run(await times(count, () => model.blank()));
    },
    persistentBytes: () => loaded.reduce((sum, model) => sum + model.persistentBytes, 0),
  };
}

async function openGroup(device: Device, files: readonly ModelFiles[]): Promise<Opened> {
  const cut = await sharedCut(files.slice(0, 2));
  let prefixMs = 0;
  const startMs = realClock.nowMs();
  const prefix = await device.loadPrefix(files[0]!, { cut, batchMax: BATCH });
  prefixMs = realClock.nowMs() - startMs;
  const suffixes: Awaited<ReturnType<typeof prefix.loadSuffix>>[] = [];
  return {
    prefixMs,
    add: async member => void suffixes.push(await prefix.loadSuffix(member, { batchMax: BATCH })),
    round: async () => {
      const members: Member[] = [];
      for (const [suffix, count] of dealt(suffixes))
        members.push({ suffix: suffix.id, inputs: await times(count, () => suffix.blank()) });
      await prefix.runMixed(members);
    },
    persistentBytes: () => suffixes.reduce((sum, suffix) => sum + suffix.persistentBytes, prefix.persistentBytes),
  };
}

/** How many of the inputs each takes, the first ones more. */
function dealt<T>(among: readonly T[]): [T, number][] {
  return among
    .slice(0, BATCH)
    .map((one, i): [T, number] => [one, Math.floor(BATCH / among.length) + (i < BATCH % among.length ? 1 : 0)]);
}

const times = <T>(count: number, make: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, make));

async function timed(work: () => Promise<void>): Promise<number> {
  const startMs = realClock.nowMs();
  await work();
  return realClock.nowMs() - startMs;
}

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
