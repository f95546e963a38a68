import test, { type ExecutionContext } from 'ava';
import { startActor, type AnyActor } from '../../actors/actor/index.ts';
import { allocator } from '../../actors/allocator/index.ts';
import { gpuHost } from '../../actors/gpu-host/index.ts';
import { prefixBatcher } from '../../actors/prefix-batcher/index.ts';
import { queryRouter } from '../../actors/query-router/index.ts';
import { createNetwork, decode, encode, encodeJson, VirtualClock } from '../../bus/index.ts';
import {
  every,
  seededRandom,
  subjects,
  type AllocatorBeat,
  type HostBeat,
  type Plan,
  type QueryDocument,
  type Result,
} from '../../contracts/index.ts';
import { openEmulatedDevice } from '../../gpu-host/index.ts';

const PREFIX = 'ganglion';
const rgb = { encoding: 'rgb', width: 2, height: 2, data: new Uint8Array(12) } as const;

/** All real actors on an in-process bus in simulated time; only devices are emulated. */
async function world(t: ExecutionContext, hosts: readonly string[]) {
  const clock = new VirtualClock();
  const network = createNetwork({ clock, latencyMs: 0.3 });
  const admin = network.connect('admin');
  const running = new Map<string, Awaited<ReturnType<typeof startActor>>>();
  t.teardown(() => running.forEach(actor => actor.kill()));
  const results: Result[] = [];
  const beats = new Map<string, HostBeat>();
  const seen: { plan: Plan | undefined; leader: AllocatorBeat | undefined } = { plan: undefined, leader: undefined };
  admin.subscribe(subjects.results.at(PREFIX), m => void results.push(decode(m.data) as Result));
  admin.subscribe(subjects.plans.at(PREFIX), m => void (seen.plan = decode(m.data) as Plan));
  admin.subscribe(subjects.allocatorBeats.at(PREFIX), m => void (seen.leader = decode(m.data) as AllocatorBeat));
  admin.subscribe(subjects.hostBeats.at(PREFIX), m => {
    beats.set(subjects.hostBeats.paramsOf(PREFIX, m.subject).host, decode(m.data) as HostBeat);
  });
  const start = async (definition: AnyActor, id: string, config: object = {}): Promise<void> => {
    const random = seededRandom(running.size + 1);
    const around = { bus: network.connect(id), clock, random, id, config, checkOutgoing: true };
    const actor = await clock.settle(startActor(definition, around));
    running.set(id, actor);
    void actor.ended.then(() => clock.after(0, () => void actor.stop()));
  };
  const host = (id: string): Promise<void> => {
    const settings = { kind: 'emulated', memoryMB: 1000, seed: running.size } as const;
    const open = async () => openEmulatedDevice(settings, { clock, random: seededRandom(1) });
    return start(gpuHost({ openDevice: open }), id, { device: settings, profileSeconds: 2 });
  };
  const config = await clock.settle(admin.keyValue(`${PREFIX}-config`));
  const model = async (name: string, emulation: object): Promise<void> => {
    const document = {
      kind: 'Model',
      name,
      version: '1',
      file: 'm.onnx',
      licence: 'none',
      source: 'made up',
      preprocess: { kind: 'picture', width: 64, height: 64, fit: 'stretch' },
      postprocess: { kind: 'classes' },
      batchMax: 16,
      emulation: { alphaMs: 1, betaMs: 5, persistentMB: 200, ephemeralMBPerItem: 5, loadMs: 100, ...emulation },
    };
    const stored = { v: 1, id: `${name}@${'0'.repeat(12)}`, document, files: { 'm.onnx': '0'.repeat(64) }, bytes: 1 };
    await clock.settle(config.put(`models.${name}`, encodeJson(stored)));
  };
  const query = async (name: string, model: string, facts: Partial<QueryDocument> = {}): Promise<void> => {
    const document = {
      kind: 'Query',
      name,
      objectiveMs: 150,
      streams: ['cam'],
      rateHz: 50,
      stages: { one: { model } },
    };
    await clock.settle(config.put(`queries.default.${name}`, encodeJson({ ...document, ...facts })));
  };
  const frames = (rateHz: number): void => {
    let seq = 0;
    const publish = (): void => {
      const frame = { v: 1 as const, seq: seq++, picture: rgb };
      admin.publish(subjects.frames.at(PREFIX, { tenant: 'default', stream: 'cam' }), encode(frame));
    };
    t.teardown(every(clock, 1000 / rateHz, publish));
  };
  const drain = async (host: string): Promise<void> => {
    const subject = subjects.drain.at(PREFIX);
    await clock.settle(admin.request(subject, encode({ v: 1, host }), { timeoutMs: 3000 }));
  };
  await start(prefixBatcher(), 'batcher-1');
  const imaging = { crop: async () => [], size: async () => ({ width: 1, height: 1 }) };
  await start(queryRouter({ imaging }), 'router-1');
  for (const id of hosts) await host(id);
  await start(allocator(), 'allocator-1');
  const settled = (queries: number): Promise<void> =>
    clock.runUntilTrue(() => seen.plan?.queries.length === queries && seen.leader?.phase === 'observing', 120_000);
  return { clock, running, results, beats, seen, host, model, query, frames, drain, settled };
}

const outcomes = (results: readonly Result[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { outcome } of results) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
};

test('together: models are profiled, planned, loaded; frames are answered in time', async t => {
  const w = await world(t, ['gpu-a', 'gpu-b']);
  await w.model('face', {});
  await w.model('plate', { alphaMs: 2 });
  await w.query('faces', 'face');
  await w.query('plates', 'plate');
  await w.settled(2);
  w.frames(50);
  await w.clock.runFor(10_000);
  t.deepEqual(Object.keys(outcomes(w.results)), ['ok']);
  t.true(w.results.length > 900);
  t.is(w.seen.plan!.hosts.length, 1);
});

test('together: a host is drained under load and no frame notices', async t => {
  const w = await world(t, ['gpu-a', 'gpu-b']);
  await w.model('face', {});
  await w.query('faces', 'face');
  await w.settled(1);
  w.frames(50);
  await w.clock.runFor(5000);
  const before = w.seen.plan!.hosts[0]!.host;
  await w.drain(before);
  await w.clock.runUntilTrue(() => w.beats.get(before)?.state === 'left');
  await w.clock.runFor(5000);
  t.deepEqual(Object.keys(outcomes(w.results)), ['ok']);
  t.not(w.seen.plan!.hosts[0]!.host, before);
});

test('together: a host dies under load: what it held is moved and frames go on', async t => {
  const w = await world(t, ['gpu-a', 'gpu-b']);
  await w.model('face', {});
  await w.query('faces', 'face');
  await w.settled(1);
  w.frames(50);
  await w.clock.runFor(5000);
  const before = w.seen.plan!.hosts[0]!.host;
  w.running.get(before)!.kill();
  await w.clock.runUntilTrue(() => w.seen.plan!.hosts[0]?.host !== before);
  await w.clock.runFor(2000);
  w.results.length = 0;
  await w.clock.runFor(5000);
  t.deepEqual(Object.keys(outcomes(w.results)), ['ok']);
  t.true(w.results.length > 200);
});

test('together: the leader dies under load and no frame notices', async t => {
  const w = await world(t, ['gpu-a', 'gpu-b']);
  await w.model('face', {});
  await w.query('faces', 'face');
  await w.settled(1);
  w.frames(50);
  await w.clock.runFor(3000);
  const { epoch } = w.seen.plan!;
  w.running.get('allocator-1')!.kill();
  await w.clock.runFor(12_000);
  t.deepEqual(Object.keys(outcomes(w.results)), ['ok']);
  t.is(w.seen.plan!.epoch, epoch);
});
