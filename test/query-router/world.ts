import type { ExecutionContext } from 'ava';
import { startActor } from '../../actors/actor/index.ts';
import { queryRouter } from '../../actors/query-router/index.ts';
import { createNetwork, decode, encode, encodeJson, VirtualClock } from '../../bus/index.ts';
import {
  bucketName,
  BUCKETS,
  seededRandom,
  subjects,
  validator,
  QueryDocument,
  type Answer,
  type Answers,
  type BatcherBeat,
  type Frame,
  type HostBeat,
  type Imaging,
  type InferRequest,
  type Log,
  type Output,
  type Payload,
  type Plan,
  type Region,
  type Result,
  type RouterBeat,
  type Subject,
} from '../../contracts/index.ts';
import * as example from '../../contracts/examples.ts';

export const JPEG = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 1, 2, 3, 4);
const PREFIX = 'ganglion';

/** One stage, answered by one model. */
export const looking: QueryDocument = {
  kind: 'Query',
  name: 'look',
  streams: ['cam*'],
  objectiveMs: 200,
  stages: { look: { model: 'looker' } },
};

/** A detector whose boxes are read by a second stage. */
export const reading: QueryDocument = {
  kind: 'Query',
  name: 'read',
  streams: ['cam*'],
  objectiveMs: 400,
  stages: { detect: { model: 'detector' }, read: { model: 'reader', from: 'detect', fanoutMax: 3 } },
};

/** An imaging whose crops are as large as the regions, filled with the region's x. Frames are 200×100. */
export const plainImaging = () => {
  const asked: Region[][] = [];
  const imaging: Imaging = {
    size: async () => ({ width: 200, height: 100 }),
    crop: async (_picture, regions) => {
      asked.push([...regions]);
      return regions.map(({ x, width, height }) => ({
        encoding: 'rgb',
        width,
        height,
        data: new Uint8Array(width * height * 3).fill(x),
      }));
    },
  };
  return { imaging, asked };
};

export const boxes = (...list: [x: number, y: number, width: number, height: number, score: number][]): Output => ({
  kind: 'boxes',
  boxes: list.map(([x, y, width, height, score]) => ({ x, y, width, height, score })),
});
export const text = (said: string): Output => ({ kind: 'text', text: said, score: 0.9 });

export interface Offered {
  readonly router: string;
  readonly pool: string;
  readonly session: string;
  readonly id: number;
  readonly budgetMs: number;
  readonly bytes: number;
  readonly alone: boolean;
  readonly avoid: string;
  readonly atMs: number;
}
export interface Sent {
  readonly router: string;
  readonly host: string;
  readonly batch: string;
  readonly ids: readonly number[];
  readonly payloads: readonly Payload[];
  readonly absent: readonly number[];
  readonly bytes: number;
}

interface WorldOptions {
  readonly maxPayloadBytes?: number;
  readonly imaging?: Imaging;
  readonly queries?: readonly QueryDocument[];
  /** False: no plan is stored. */
  readonly planned?: boolean;
}

/** A router's surroundings in simulated time: cameras, a batcher and hosts that do as the test says, and who reads results. */
export async function world(t: ExecutionContext, options: WorldOptions = {}) {
  const clock = new VirtualClock();
  const { maxPayloadBytes } = options;
  const network = createNetwork({ clock, ...(maxPayloadBytes === undefined ? {} : { maxPayloadBytes }) });
  const bus = network.connect('test');
  const documents = options.queries ?? [looking];
  const logged: string[] = [];
  const say = (message: string, facts?: object) => void logged.push(`${message} ${JSON.stringify(facts ?? {})}`);
  const log: Log = { debug: say, info: say, warn: say, error: say };

  const results: Result[] = [];
  const beats: RouterBeat[] = [];
  const offers: Offered[] = [];
  const sent: Sent[] = [];
  const withdrawn: number[] = [];
  const hear = <M>(subject: Subject<any, M, any>, take: (message: M, name: string, bytes: number) => void) =>
    bus.subscribe(subject.at(PREFIX), ({ subject: at, data }) =>
      take(subject.message.check(decode(data), at), at.split('.').at(-1)!, data.byteLength),
    );
  hear(subjects.results, result => void results.push(result));
  hear(subjects.routerBeats, beat => void beats.push(beat));
  hear(subjects.withdrawals, ({ ids }) => void withdrawn.push(...ids));
  hear(subjects.offers, ({ router, sessions, ids, session, budgetMs, bytes, alone, avoid }, pool) => {
    ids.forEach((id, i) =>
      offers.push({
        router,
        pool,
        id,
        session: sessions[session[i]!]!,
        budgetMs: budgetMs[i]!,
        bytes: bytes[i]!,
        alone: alone?.includes(id) ?? false,
        avoid: avoid?.[alone?.indexOf(id) ?? -1] ?? '',
        atMs: clock.nowMs(),
      }),
    );
  });
  hear(subjects.payloads, (message, host, bytes) => void sent.push({ ...message, host, bytes }));

  const say1 = <M>(subject: Subject<any, M, any>, params: object, message: M): void => {
    const at = subject.at(PREFIX, params as never);
    subject.message.check(message, at);
    bus.publish(at, encode(message));
  };
  const put = async (bucket: string, key: string, value: unknown) => {
    const store = await clock.settle(bus.keyValue(bucketName(PREFIX, bucket)));
    await clock.settle(store.put(key, encodeJson(value)));
  };
  const apply = async (document: QueryDocument) => {
    validator(QueryDocument).check(document, document.name);
    await put(BUCKETS.config, `queries.${document.tenant ?? 'default'}.${document.name}`, document);
  };
  let batches = 0;
  const verdicts = (router: string, what: object) =>
    say1(subjects.verdicts, { router }, {
      v: 1,
      batcher: 'batcher-1',
      pool: 'pool-0',
      epoch: 1,
      grants: [],
      drops: [],
      refused: [],
      ...what,
    } as never);

  for (const document of documents) await apply(document);
  if (options.planned !== false) await put(BUCKETS.plan, 'current', planFor(documents));

  return {
    clock,
    network,
    bus,
    logged,
    results,
    beats,
    offers,
    sent,
    withdrawn,
    apply,
    put,
    publish: say1,
    /** Starts a router. */
    router: async (id = 'router-1', config: object = {}) => {
      const starting = startActor(queryRouter({ imaging: options.imaging ?? plainImaging().imaging }), {
        bus: network.connect(id),
        clock,
        random: seededRandom(7),
        log,
        id,
        config,
        checkOutgoing: true,
      });
      const running = await clock.settle(starting);
      t.teardown(() => running.kill());
      return running;
    },
    frame: (stream: string, frame: Partial<Frame> = {}) => {
      say1(
        subjects.frames,
        { tenant: 'default', stream },
        {
          v: 1,
          seq: 1,
          picture: { encoding: 'jpeg', data: JPEG },
          ...frame,
        },
      );
    },
    /** Asks for one picture's result; let time pass for the answer to come. */
    ask: async (query: string, request: Partial<InferRequest> | Uint8Array = {}): Promise<Result> => {
      const at = subjects.infer.at(PREFIX, { tenant: 'default', query });
      const message = { v: 1, payload: { encoding: 'jpeg', data: JPEG } };
      const raw = request instanceof Uint8Array ? request : encode({ ...message, ...request });
      const { data } = await bus.request(at, raw, { timeoutMs: 60_000 });
      return subjects.infer.reply!.check(decode(data), at);
    },
    plan: (plan: Plan) => say1(subjects.plans, {}, plan),
    /** Grants one or more offers as one batch. @returns its name */
    grant: (granted: Offered | readonly Offered[], host = 'gpu-a', answerInMs = 20): string => {
      const list = Array.isArray(granted) ? (granted as Offered[]) : [granted as Offered];
      const batch = `batch-${++batches}`;
      verdicts(list[0]!.router, { grants: [{ batch, host, ids: list.map(({ id }) => id), answerInMs }] });
      return batch;
    },
    drop: ({ router, id }: Offered, reason = 'deadline') => verdicts(router, { drops: [{ reason, ids: [id] }] }),
    refuse: ({ router, id }: Offered) => verdicts(router, { refused: [{ reason: 'not-in-charge', ids: [id] }] }),
    answer: (
      { router, id }: Offered,
      batch: string,
      said: Answer | Output,
      facts: Partial<Pick<Answers, 'emulated' | 'host' | 'runMs' | 'transferMs' | 'waitMs'>> = {},
    ) => {
      say1(
        subjects.answers,
        { router },
        {
          v: 1,
          host: 'gpu-a',
          batch,
          emulated: false,
          size: 1,
          model: ['looker@0123456789ab'],
          ids: [id],
          answers: ['kind' in said ? { is: 'output', output: said } : said],
          transferMs: [2],
          waitMs: [1],
          runMs: 5,
          sinceRunMs: 0.5,
          ...facts,
        },
      );
    },
    batcherBeat: (batcher: string, beat: Partial<BatcherBeat> = {}) =>
      say1(subjects.batcherBeats, { batcher }, { ...example.batcherBeat, epoch: 1, ...beat }),
    hostBeat: (host: string, beat: Partial<HostBeat> = {}) =>
      say1(subjects.hostBeats, { host }, { ...example.hostBeat, ...beat }),
  };
}
export type World = Awaited<ReturnType<typeof world>>;

/** A plan that serves all stages in one pool, each with half of what is left reserved for those behind it. */
export function planFor(documents: readonly QueryDocument[], more: Partial<Plan> = {}, pool = 'pool-0'): Plan {
  return {
    ...example.plan,
    epoch: 1,
    queries: documents.map(({ tenant = 'default', name, objectiveMs, stages }) => ({
      tenant,
      query: name,
      stages: Object.entries(stages).map(([stage, { model }]) => {
        const last = !Object.values(stages).some(({ from }) => from === stage);
        return {
          stage,
          session: `default/${model}/${objectiveMs}`,
          pool,
          budgetMs: objectiveMs / 2,
          reserveMs: last ? 0 : objectiveMs / 2,
          reserveMinMs: last ? 0 : objectiveMs / 4,
        };
      }),
    })),
    ...more,
  };
}
