import type { ExecutionContext } from 'ava';
import { startActor } from '../../actors/actor/index.ts';
import { gpuHost } from '../../actors/gpu-host/index.ts';
import { prefixBatcher } from '../../actors/prefix-batcher/index.ts';
import { queryRouter } from '../../actors/query-router/index.ts';
import { candidatesOf, type Candidate } from '../../allocator/index.ts';
import { createNetwork, decode, encode, encodeJson, realClock } from '../../bus/index.ts';
import {
  bucketName,
  BUCKETS,
  isPrefix,
  MODEL_STORE,
  prefixId,
  seededRandom,
  silentLog,
  subjects,
  suffixId,
  type Answers,
  type HostBeat,
  type ModelDocument,
  type Order,
  type OrderReply,
  type Payload,
  type Plan,
  type PlannedHost,
  type Profile,
  type QueryDocument,
  type Result,
  type StoredModel,
} from '../../contracts/index.ts';
import { imaging, openDevice, packModel, withCuts } from '../../gpu-host/index.ts';
import { until } from './until.ts';

const PREFIX = 'ganglion';
const HOST = 'gpu-a';
const KIND = 'test-cpu';
const OBJECTIVE_MS = 25_000;
const BATCH_MAX = 8;
type Models = PlannedHost['models'];

/** A model, asked by a query of its own name. */
export interface Asked {
  readonly stored: StoredModel;
  readonly query: QueryDocument;
}

/**
 * Router, batcher and a host with a real device (the CPU) on an in-process bus. The test is their allocator: it says what the host holds
 * and which plan is in force.
 */
export async function openSystem(t: ExecutionContext, documents: readonly ModelDocument[], baseDir: string) {
  const random = seededRandom(1);
  const network = createNetwork({ clock: realClock });
  const peer = network.connect('peer');
  const put = async (bucket: string, key: string, value: unknown): Promise<void> =>
    void (await (await peer.keyValue(bucketName(PREFIX, bucket))).put(key, encodeJson(value)));
  const objects = await peer.objectStore(bucketName(PREFIX, MODEL_STORE));
  const asked: Asked[] = [];
  for (const document of documents) {
    const { stored: packed, contents } = await packModel(document, baseDir);
    for (const [digest, content] of contents) await objects.put(digest, content);
    const stored = withCuts(packed, contents.get(packed.files[document.file]!)!);
    const { name } = document;
    const stages = { only: { model: name } };
    const query: QueryDocument = { kind: 'Query', name, objectiveMs: OBJECTIVE_MS, stages };
    await put(BUCKETS.config, `models.${name}`, stored);
    await put(BUCKETS.config, `queries.default.${name}`, query);
    asked.push({ stored, query });
  }
  let beat: HostBeat | undefined;
  const answers: Answers[] = [];
  peer.subscribe(subjects.hostBeats.at(PREFIX), ({ data }) => void (beat = decode(data) as HostBeat));
  peer.subscribe(subjects.answers.at(PREFIX), ({ data }) => void answers.push(decode(data) as Answers));

  let epoch = 0;
  const order = async (body: object): Promise<void> => {
    const message = { v: 1, epoch, nonce: 'n', ...body } as Order;
    const { data } = await peer.request(subjects.orders.at(PREFIX, { host: HOST }), encode(message), {
      timeoutMs: 20_000,
    });
    t.deepEqual(decode(data) as OrderReply, { v: 1, accepted: true });
  };
  /** Made before broken: what is new is loaded, then the plan is in force, then what is left over goes. */
  const hold = async (models: Models, groups: Plan['pools'][number]['groups']): Promise<void> => {
    epoch++;
    await order({ verb: 'prepare', models });
    const wanted = models.map(({ model }) => model);
    const state = (model: string) => beat?.residents.find(one => one.model === model)?.state;
    await until(`${wanted.join(', ')} resident`, () => wanted.every(model => state(model) === 'resident'), {
      state: () => beat?.residents,
    });
    const plan = planOf(epoch, asked, models, groups);
    await put(BUCKETS.plan, 'current', plan);
    peer.publish(subjects.plans.at(PREFIX), encode(plan));
    await order({ verb: 'release', keep: wanted });
  };

  const roleOf = (id: string) => ({ bus: network.connect(id), clock: realClock, random, id, checkOutgoing: true });
  const device = { kind: 'onnx', name: KIND, threads: 1, memoryMB: 2048 };
  const running = [
    await startActor(
      gpuHost({ openDevice: settings => openDevice(settings, { clock: realClock, random, log: silentLog }) }),
      { ...roleOf(HOST), config: { device } },
    ),
    await startActor(prefixBatcher(), { ...roleOf('batcher-1'), config: {} }),
    await startActor(queryRouter({ imaging }), { ...roleOf('router-1'), config: {} }),
  ];
  t.teardown(async () => void (await Promise.all(running.map(actor => actor.stop()))));

  return {
    asked,
    /** Models that ran together, for each batch so far. */
    mixed: (): number[] => {
      const models = new Map<string, Set<string>>();
      for (const { batch, model } of answers) models.set(batch, new Set([...(models.get(batch) ?? []), ...model]));
      return [...models.values()].map(({ size }) => size);
    },
    beat: () => beat,
    /** The group that a planner would make of these models. */
    candidate: (of: readonly Asked[]): Candidate =>
      candidatesOf(of.map(({ stored }) => ({ id: stored.id, batchMax: BATCH_MAX, cuts: stored.cuts ?? [] })))[0]!,
    /** Some models whole, others behind a prefix. */
    plan: (whole: readonly Asked[], group?: Candidate): Promise<void> => {
      const held = (model: string, more: object = {}): Models[number] => ({
        model,
        lane: 0,
        batches: [1],
        batchMax: BATCH_MAX,
        ...more,
      });
      const parts = group
        ? [
            held(prefixId(group.cut), { of: group.members[0], tensors: group.tensors }),
            ...group.members.map(member => held(suffixId(member, group.cut))),
          ]
        : [];
      const groups = group ? [{ prefix: prefixId(group.cut), members: [...group.members] }] : [];
      return hold([...whole.map(({ stored }) => held(stored.id)), ...parts], groups);
    },
    ask: async (name: string, payload: Payload): Promise<Result> => {
      const at = subjects.infer.at(PREFIX, { tenant: 'default', query: name });
      const { data } = await peer.request(at, encode({ v: 1, payload }), { timeoutMs: OBJECTIVE_MS });
      return subjects.infer.reply!.check(decode(Uint8Array.from(data)), at);
    },
  };
}

/** One host with all of it; figures of time are rough, deadlines far away. */
function planOf(epoch: number, asked: readonly Asked[], models: Models, groups: Plan['pools'][number]['groups']): Plan {
  const sessionOf = (query: QueryDocument): string => `default/${query.name}`;
  const profile = (model: string): Profile => ({
    v: 1,
    model,
    device: KIND,
    emulated: false,
    points: [1, BATCH_MAX].map(batch => {
      const meanMs = isPrefix(model) ? 5 * batch + 5 : 0.5 * batch + 0.5;
      return { batch, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes: 0, repeats: 10 };
    }),
    persistentBytes: 0,
    loadMs: 10,
    preMs: 1,
    postMs: 1,
  });
  return {
    v: 1,
    epoch,
    nonce: 'n',
    policy: 'test',
    pools: [
      { pool: 'pool-0', batcher: 'batcher-1', hosts: [HOST], sessions: asked.map(one => sessionOf(one.query)), groups },
    ],
    hosts: [{ host: HOST, kind: KIND, models }],
    sessions: asked.map(({ stored, query }) => ({
      name: sessionOf(query),
      tenant: 'default',
      model: stored.id,
      objectiveMs: OBJECTIVE_MS,
      rateHz: 10,
      prefer: 'latency',
    })),
    queries: asked.map(({ query }) => ({
      tenant: 'default',
      query: query.name,
      stages: [
        {
          stage: 'only',
          session: sessionOf(query),
          pool: 'pool-0',
          budgetMs: OBJECTIVE_MS,
          reserveMs: 0,
          reserveMinMs: 0,
        },
      ],
    })),
    refused: [],
    profiles: models.map(({ model }) => profile(model)),
  };
}
