import test, { type ExecutionContext } from 'ava';
import { decode, encode, realClock } from '../../bus/index.ts';
import {
  framesJournal,
  GanglionError,
  resultsJournal,
  sleep,
  subjects,
  type Journal,
  type Result,
} from '../../contracts/index.ts';
import { Cleanup } from './cleanup.ts';
import { EMULATED, jpeg, startCluster, type TestCluster } from './cluster.ts';
import { classifier, query } from './models.ts';
import { startServer, type Server } from './nats.ts';
import { until } from './until.ts';

const START_MS = 150_000;
const PERIOD_MS = 40;

const cleanup = new Cleanup();
let server: Server;
let cluster: TestCluster;
let picture: Uint8Array;
let frames: Journal;
/** Results as stored, by stream and number of the frame. */
const stored = new Map<string, Map<number, Result>>();

test.before(async t => {
  t.timeout(START_MS);
  picture = await jpeg();
  server = await startServer(cleanup);
  cluster = await startCluster(cleanup, {
    natsUrl: server.url,
    actors: [
      { actor: 'query-router', name: 'router', count: 2 },
      { actor: 'prefix-batcher', name: 'batcher' },
      { actor: 'gpu-host', name: 'gpu', config: EMULATED },
      { actor: 'allocator', name: 'allocator', config: { gatherMs: 500 } },
    ],
    documents: [
      classifier('looker'),
      query('keep', { look: { model: 'looker' } }, { delivery: 'durable', objectiveMs: 2000 }),
    ],
  });
  await cluster.serves('keep', picture);
  const { bus, prefix } = cluster;
  const subject = subjects.frames.at(prefix, { tenant: 'default' });
  frames = await bus.journal(`${prefix}-frames-default`, framesJournal(prefix, 'default', [subject]).settings);
  const { name, settings } = resultsJournal(prefix, 'default', 'keep');
  const results = await bus.journal(name, settings);
  await results.read({ name: 'test', subjects: settings.subjects, ackWaitMs: 30_000, heldMax: 1000 }, entry => {
    entry.ack();
    const result = decode(entry.data) as Result;
    const key = `${result.stream} ${result.seq}`;
    // An acknowledgement that was lost with the server brings the same one again.
    const own = stored.get(key) ?? new Map<number, Result>();
    stored.set(key, own.set(entry.sequence, result));
  });
});
test.after.always('nothing is left over', async t => {
  t.timeout(START_MS);
  await cleanup.run();
});

/** Frames one after the other, each published until it is stored, as long as `during` takes. @returns how many */
async function keptFrames(stream: string, during: () => Promise<void>): Promise<number> {
  const subject = subjects.frames.at(cluster.prefix, { tenant: 'default', stream });
  let going = true;
  const publishing = (async () => {
    for (let seq = 1; ; seq++) {
      const frame = encode({ v: 1, seq, picture: { encoding: 'jpeg', data: picture } });
      for (let isStored = false; !isStored; ) {
        try {
          await frames.append(subject, frame, { id: `${stream} ${seq}` });
          isStored = true;
        } catch (error) {
          if (!(error instanceof GanglionError)) throw error;
          await sleep(realClock, PERIOD_MS);
        }
      }
      if (!going) return seq;
      await sleep(realClock, PERIOD_MS);
    }
  })();
  await during();
  going = false;
  return publishing;
}

const answered = (stream: string): number => [...stored.keys()].filter(key => key.startsWith(`${stream} `)).length;

/** Each frame has one stored result, with an answer. */
async function allAnswered(t: ExecutionContext, stream: string, count: number): Promise<void> {
  await until(`all ${count} frames are answered`, () => answered(stream) >= count, {
    limitMs: 90_000,
    state: () => `${answered(stream)} answered\n${cluster.story()}`,
  });
  const results = Array.from({ length: count }, (_, i) => [...(stored.get(`${stream} ${i + 1}`)?.values() ?? [])]);
  t.deepEqual(
    results.flatMap((own, i) => (own.length === 1 ? [] : [`${i + 1}: ${own.length}`])),
    [],
  );
  t.deepEqual(
    results.flat().filter(({ outcome }) => outcome !== 'ok' && outcome !== 'late'),
    [],
  );
}

async function killed(name: string): Promise<void> {
  const state = () => cluster.launched.actors().find(one => one.name === name);
  const before = state()?.pid;
  cluster.launched.kill(name, 'SIGKILL');
  await until(`${name} runs again`, () => state()?.state === 'running' && state()?.pid !== before, {
    state: () => cluster.story(),
  });
}

test.serial('durable: router, batcher and host are killed in turn: every stored frame is answered, once', async t => {
  t.timeout(START_MS);
  const count = await keptFrames('keep-kills', async () => {
    for (const name of ['router-1', 'batcher', 'gpu', 'router-2']) {
      const before = answered('keep-kills');
      await until('frames are answered', () => answered('keep-kills') > before + 10, {
        limitMs: 90_000,
        state: () => cluster.story(),
      });
      await killed(name);
    }
  });
  await allAnswered(t, 'keep-kills', count);
});

test.serial('durable: the server is killed and comes back: every stored frame is answered, once', async t => {
  t.timeout(START_MS);
  const count = await keptFrames('keep-server', async () => {
    await until('frames are answered', () => answered('keep-server') > 10, { state: () => cluster.story() });
    await server.crash();
    await sleep(realClock, 2000);
    await server.startAgain();
    const before = answered('keep-server');
    await until('frames are answered again', () => answered('keep-server') > before + 20, {
      limitMs: 90_000,
      state: () => cluster.story(),
    });
  });
  await allAnswered(t, 'keep-server', count);
});
