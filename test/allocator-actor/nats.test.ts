import test from 'ava';
import { startActor } from '../../actors/actor/index.ts';
import { allocator } from '../../actors/allocator/index.ts';
import { gpuHost } from '../../actors/gpu-host/index.ts';
import { prefixBatcher } from '../../actors/prefix-batcher/index.ts';
import { decode, encodeJson, realClock } from '../../bus/index.ts';
import { seededRandom, sleep, subjects, type AllocatorBeat, type Plan } from '../../contracts/index.ts';
import { openEmulatedDevice } from '../../gpu-host/index.ts';
import { startNats } from '../helpers/nats-server.ts';

const MODEL = {
  v: 1,
  id: `face@${'0'.repeat(12)}`,
  document: {
    kind: 'Model',
    name: 'face',
    version: '1',
    file: 'm.onnx',
    licence: 'none',
    source: 'made up',
    preprocess: { kind: 'picture', width: 64, height: 64, fit: 'stretch' },
    postprocess: { kind: 'classes' },
    batchMax: 4,
    emulation: { alphaMs: 1, betaMs: 2, persistentMB: 100, ephemeralMBPerItem: 1, loadMs: 10 },
  },
  files: { 'm.onnx': '0'.repeat(64) },
  bytes: 1,
};

test('allocator: on a real server: profile, plan, then a standby takes over without moving anything', async t => {
  const server = await startNats(t);
  const admin = await server.connect();
  const seen: { plan: Plan | undefined; leader: AllocatorBeat | undefined } = { plan: undefined, leader: undefined };
  admin.subscribe(subjects.plans.at('ganglion'), m => void (seen.plan = decode(m.data) as Plan));
  admin.subscribe(subjects.allocatorBeats.at('ganglion'), m => {
    const beat = decode(m.data) as AllocatorBeat;
    if (beat.role === 'leader') seen.leader = beat;
  });
  const around = async (id: string, config: object) => {
    const bus = await server.connect();
    return { bus, clock: realClock, random: seededRandom(id.length), id, config, checkOutgoing: true };
  };
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    for (let waitedMs = 0; !holds(); waitedMs += 20) {
      if (waitedMs > 30_000) throw new Error(`${what}: ${JSON.stringify([seen.plan?.refused, seen.leader])}`);
      await sleep(realClock, 20);
    }
  };
  const settings = { kind: 'emulated', memoryMB: 1000, seed: 1 } as const;
  const open = async () => openEmulatedDevice(settings, { clock: realClock, random: seededRandom(1) });
  const host = await startActor(
    gpuHost({ openDevice: open }),
    await around('gpu-a', { device: settings, profileSeconds: 0.2 }),
  );
  const batcher = await startActor(prefixBatcher(), await around('batcher-1', {}));
  const config = { leaseMs: 1200, gatherMs: 300 };
  const first = await startActor(allocator(), await around('allocator-1', config));
  const bucket = await admin.keyValue('ganglion-config');
  await bucket.put('models.face', encodeJson(MODEL));
  const query = { kind: 'Query', name: 'faces', objectiveMs: 100, rateHz: 10, stages: { one: { model: 'face' } } };
  await bucket.put('queries.default.faces', encodeJson(query));
  await until('served', () => seen.plan?.queries.length === 1 && seen.leader?.phase === 'observing');
  const before = seen.plan!;

  const second = await startActor(allocator(), await around('allocator-22', config));
  first.kill();
  await until('taken over', () => seen.plan!.nonce !== before.nonce && seen.leader?.phase === 'observing');
  t.true(seen.plan!.epoch > before.epoch);
  t.deepEqual(seen.plan!.hosts, before.hosts);
  t.is(seen.leader!.modelsMoved, 0);
  for (const running of [second, batcher, host]) await running.stop();
});
