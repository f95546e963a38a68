import type { ExecutionContext } from 'ava';
import { startActor, type Ending } from '../../actors/actor/index.ts';
import { gpuHost } from '../../actors/gpu-host/index.ts';
import { createNetwork, decode, decodeJson, encode, encodeJson, VirtualClock } from '../../bus/index.ts';
import {
  bucketName,
  seededRandom,
  subjects,
  type Answer,
  type Answers,
  type HostBeat,
  type ModelDocument,
  type Order,
  type OrderReply,
  type Outline,
  type Payload,
  type Payloads,
  type Profile,
  type Progress,
  type StoredModel,
} from '../../contracts/index.ts';
import { openEmulatedDevice, type Device, type LoadedModel } from '../../gpu-host/index.ts';

const PREFIX = 'ganglion';
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

export const document = (
  name: string,
  emulation: Partial<ModelDocument['emulation'] & object> = {},
): ModelDocument => ({
  kind: 'Model',
  name,
  version: '1',
  file: `${name}.onnx`,
  licence: 'none',
  source: 'made up',
  preprocess: { kind: 'picture', width: 64, height: 64, fit: 'stretch' },
  postprocess: { kind: 'classes' },
  batchMax: 8,
  emulation: { alphaMs: 2, betaMs: 10, persistentMB: 100, ephemeralMBPerItem: 10, loadMs: 50, ...emulation },
});

export const stored = (doc: ModelDocument, digit = '0'): StoredModel => ({
  v: 1,
  id: `${doc.name}@${digit.repeat(12)}`,
  document: doc,
  files: { [doc.file]: digit.repeat(64) },
  bytes: 1000,
});

export const DET = stored(document('det'));
export const REC = stored(document('rec', { alphaMs: 1, betaMs: 4 }), '1');

export const picture: Payload = { encoding: 'rgb', width: 2, height: 2, data: new Uint8Array(12) };
/** Its bytes don't fit its size. */
export const brokenPicture: Payload = { encoding: 'rgb', width: 2, height: 2, data: new Uint8Array(5) };

export interface RigOptions {
  readonly config?: object;
  readonly memoryMB?: number;
  readonly models?: readonly StoredModel[];
  readonly maxPayloadBytes?: number;
  /** Changes what the emulated device does. */
  readonly device?: (device: Device) => Device;
}

/** What a test says of a batch; the rest follows. */
export interface Granted {
  readonly ids: readonly number[];
  readonly model?: string;
  readonly models?: readonly string[];
  readonly routers?: readonly string[];
  readonly budgetMs?: number | readonly number[];
  readonly startInMs?: number;
  readonly latestInMs?: number;
  readonly expectedMs?: number;
}

/** A host on an in-process bus in simulated time, with a test in the roles of allocator, batcher and routers. */
export async function openRig(t: ExecutionContext, options: RigOptions = {}) {
  const clock = new VirtualClock();
  const network = createNetwork({
    clock,
    ...(options.maxPayloadBytes === undefined ? {} : { maxPayloadBytes: options.maxPayloadBytes }),
  });
  const peer = network.connect('peer');
  const trace: string[] = [];
  const answers: (Answers & { router: string; atMs: number })[] = [];
  const progress: (Progress & { atMs: number })[] = [];
  const beats: (HostBeat & { atMs: number })[] = [];
  const note = (what: string, message: object): void => {
    trace.push(`${clock.nowMs().toFixed(3)} ${what} ${JSON.stringify(message)}`);
  };
  peer.subscribe(subjects.answers.at(PREFIX), ({ subject, data }) => {
    const { router } = subjects.answers.paramsOf(PREFIX, subject);
    const message = decode(data) as Answers;
    note(`answers ${router}`, message);
    answers.push({ ...message, router, atMs: clock.nowMs() });
  });
  peer.subscribe(subjects.progress.at(PREFIX), ({ data }) => {
    const message = decode(data) as Progress;
    note('progress', message);
    progress.push({ ...message, atMs: clock.nowMs() });
  });
  peer.subscribe(subjects.hostBeats.at(PREFIX), ({ data }) => {
    const message = decode(data) as HostBeat;
    note('beat', message);
    beats.push({ ...message, atMs: clock.nowMs() });
  });

  const config = await clock.settle(peer.keyValue(bucketName(PREFIX, 'config')));
  const apply = (model: StoredModel) => clock.settle(config.put(`models.${model.document.name}`, encodeJson(model)));
  for (const model of options.models ?? [DET, REC]) await apply(model);

  const settings = { kind: 'emulated', memoryMB: options.memoryMB ?? 1000, seed: 3 } as const;
  const starting = startActor(
    gpuHost({
      openDevice: async () => {
        const device = openEmulatedDevice(settings, { clock, random: seededRandom(5) });
        return options.device?.(device) ?? device;
      },
    }),
    {
      bus: network.connect('gpu-a'),
      clock,
      random: seededRandom(11),
      id: 'gpu-a',
      config: { device: settings, ...options.config },
      checkOutgoing: true,
    },
  );
  const running = await clock.settle(starting);
  t.teardown(() => running.kill());
  let ending: Ending | undefined;
  void running.ended.then(e => (ending = e));

  const publish = (subject: string, message: unknown): void => void peer.publish(subject, encode(message));
  const rig = {
    clock,
    network,
    running,
    trace,
    answers,
    progress,
    beats,
    apply,
    ending: () => ending,
    beat: () => beats.at(-1)!,
    resident: (model: string) => beats.at(-1)?.residents.find(r => r.model === model),
    async order(order: Without<Order, 'v' | 'epoch' | 'nonce'>, fence = { epoch: 1, nonce: 'leader' }) {
      const at = subjects.orders.at(PREFIX, { host: 'gpu-a' });
      const asked = peer.request(at, encode({ v: 1, ...fence, ...order }), { timeoutMs: 1000 });
      return decode((await clock.settle(asked)).data) as OrderReply;
    },
    async prepare(...ids: string[]) {
      const models = ids.map(model => ({ model, lane: 0, batches: [1, 4], batchMax: 4 }));
      const reply = await rig.order({ verb: 'prepare', models });
      t.deepEqual(reply, { v: 1, accepted: true });
      await clock.runUntilTrue(() => ids.every(id => rig.resident(id)?.batches.length === 2));
      await clock.runFor(1);
    },
    outline(batch: string, granted: Granted) {
      const { ids, routers = ['router-1'], budgetMs = 200, startInMs = 0, latestInMs = 150, expectedMs = 20 } = granted;
      const models = granted.models ?? [granted.model ?? DET.id];
      const message: Outline = {
        v: 1,
        batcher: 'batcher-1',
        pool: 'pool-0',
        epoch: 1,
        batch,
        models: [...models],
        routers: [...routers],
        ids: [...ids],
        router: ids.map((_, i) => i % routers.length),
        model: ids.map((_, i) => i % models.length),
        budgetMs: ids.map((_, i) => (typeof budgetMs === 'number' ? budgetMs : budgetMs[i]!)),
        startInMs,
        latestInMs,
        expectedMs,
      };
      publish(subjects.outlines.at(PREFIX, { host: 'gpu-a' }), message);
    },
    payloads(batch: string, ids: readonly number[], more: Partial<Payloads> & { payload?: Payload } = {}) {
      const { payload = picture, ...fields } = more;
      const payloads = ids.map(() => payload);
      const message = { v: 1, router: 'router-1', batch, ids, payloads, absent: [], ...fields };
      publish(subjects.payloads.at(PREFIX, { host: 'gpu-a' }), message);
    },
    /** Outline and payloads at once. */
    grant(batch: string, granted: Granted) {
      rig.outline(batch, granted);
      rig.payloads(batch, granted.ids);
    },
    /** By id: what was said of each invocation of a batch. */
    said(batch: string): Record<number, Answer> {
      const rows = answers.filter(a => a.batch === batch).flatMap(a => a.ids.map((id, i) => [id, a.answers[i]!]));
      return Object.fromEntries(rows) as Record<number, Answer>;
    },
    phases: (batch: string) => progress.filter(p => p.batch === batch).map(p => p.phase),
    async profile(key: string): Promise<Profile | undefined> {
      const bucket = await clock.settle(peer.keyValue(bucketName(PREFIX, 'profiles')));
      const entry = await clock.settle(bucket.get(key));
      return entry?.value && (decodeJson(entry.value) as Profile);
    },
  };
  return rig;
}

/** The same device with other models. */
export const withModels =
  (change: (model: LoadedModel) => Partial<LoadedModel>) =>
  (device: Device): Device => ({
    ...device,
    load: async (files, options) => {
      const model = await device.load(files, options);
      return { ...model, ...change(model) };
    },
  });
