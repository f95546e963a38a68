import test from 'ava';
import { startActor } from '../../actors/actor/index.ts';
import { gpuHost } from '../../actors/gpu-host/index.ts';
import { createNetwork, decode, decodeJson, encode, encodeJson, realClock } from '../../bus/index.ts';
import {
  bucketName,
  MODEL_STORE,
  seededRandom,
  silentLog,
  subjects,
  type Answers,
  type HostBeat,
  type Order,
  type OrderReply,
  type Profile,
} from '../../contracts/index.ts';
import { openDevice, packModel } from '../../gpu-host/index.ts';
import { manifest, MODELS, textPicture } from '../gpu-host/model-setup.ts';

const PREFIX = 'ganglion';
const WITHIN_MS = 20_000;

test('gpu-host: a model from the object store on the CPU (loaded, asked, measured, released)', async t => {
  const random = seededRandom(1);
  const network = createNetwork({ clock: realClock });
  const peer = network.connect('peer');
  const { stored, contents } = await packModel(manifest('ppocr-direction'), MODELS);
  const store = await peer.objectStore(bucketName(PREFIX, MODEL_STORE));
  for (const [digest, content] of contents) await store.put(digest, content);
  const config = await peer.keyValue(bucketName(PREFIX, 'config'));
  await config.put(`models.${stored.document.name}`, encodeJson(stored));

  let beat: HostBeat | undefined;
  const said: Record<number, Answers['answers'][number]> = {};
  peer.subscribe(subjects.hostBeats.at(PREFIX), ({ data }) => void (beat = decode(data) as HostBeat));
  peer.subscribe(subjects.answers.at(PREFIX), ({ data }) => {
    const { ids, answers } = decode(data) as Answers;
    for (const [i, id] of ids.entries()) said[id] = answers[i]!;
  });
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    const endMs = realClock.nowMs() + WITHIN_MS;
    while (!holds()) {
      if (realClock.nowMs() > endMs) throw new Error(`${what}: not within ${WITHIN_MS} ms; ${JSON.stringify(beat)}`);
      await new Promise<void>(resolve => void realClock.after(5, resolve));
    }
  };
  const order = async (body: object): Promise<OrderReply> => {
    const message = { v: 1, epoch: 1, nonce: 'n', ...body } as Order;
    const at = subjects.orders.at(PREFIX, { host: 'gpu-a' });
    return decode((await peer.request(at, encode(message), { timeoutMs: WITHIN_MS })).data) as OrderReply;
  };

  const host = await startActor(
    gpuHost({ openDevice: settings => openDevice(settings, { clock: realClock, random, log: silentLog }) }),
    {
      bus: network.connect('gpu-a'),
      clock: realClock,
      random,
      id: 'gpu-a',
      config: { device: { kind: 'onnx', name: 'test-cpu' }, profileSeconds: 0.1 },
      checkOutgoing: true,
    },
  );
  t.teardown(() => host.stop());

  const model = stored.id;
  t.deepEqual(await order({ verb: 'prepare', models: [{ model, lane: 0, batches: [1, 2], batchMax: 2 }] }), {
    v: 1,
    accepted: true,
  });
  await until('resident', () => beat?.residents[0]?.state === 'resident');
  t.like(beat, { state: 'ready', device: { provider: 'cpu', emulated: false } });
  t.deepEqual(beat!.residents[0]!.batches, [1, 2]);

  const picture = await textPicture(192, 48, [{ text: 'LIONS 3', x: 10, y: 36, size: 32 }]);
  const outline = { ...subjects.outlines.example, batch: 'b1', models: [model], budgetMs: [WITHIN_MS, WITHIN_MS] };
  peer.publish(subjects.outlines.at(PREFIX, { host: 'gpu-a' }), encode({ ...outline, latestInMs: WITHIN_MS }));
  const payloads = { v: 1, router: 'router-1', batch: 'b1', ids: [17, 18], payloads: [picture, picture], absent: [] };
  const broken = { ...payloads, ids: [18], payloads: [{ encoding: 'jpeg', data: Uint8Array.of(0xff, 0xd8, 0xff) }] };
  peer.publish(
    subjects.payloads.at(PREFIX, { host: 'gpu-a' }),
    encode({ ...payloads, ids: [17], payloads: [picture] }),
  );
  peer.publish(subjects.payloads.at(PREFIX, { host: 'gpu-a' }), encode(broken));
  await until('answers', () => 17 in said && 18 in said);
  t.like(said[17], { is: 'output', output: { kind: 'classes' } });
  t.like(said[18], { is: 'failed', reason: 'input' });

  t.true((await order({ verb: 'profile', model, batchMax: 2 })).accepted);
  const profiles = await peer.keyValue(bucketName(PREFIX, 'profiles'));
  const key = `${model.replace('@', '.')}.test-cpu`;
  let profile: Profile | undefined;
  void profiles.watch(key, ({ value }) => void (profile = value && (decodeJson(value) as Profile)));
  await until('profile', () => profile !== undefined);
  t.like(profile, { model, device: 'test-cpu', emulated: false });
  t.deepEqual(
    profile!.points.map(point => point.batch),
    [1, 2],
  );
  t.true(profile!.points.every(point => point.meanMs > 0) && profile!.loadMs > 0);

  t.true((await order({ verb: 'release', keep: [] })).accepted);
  await until('released', () => beat?.residents.length === 0);
  await host.stop();
  await until('left', () => beat?.state === 'left');
});
