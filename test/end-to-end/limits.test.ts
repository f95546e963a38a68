import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { PayloadTooLargeError } from '../../contracts/index.ts';
import { Cleanup } from './cleanup.ts';
import { EMULATED, jpeg, ONE_OF_EACH, startCluster, type TestCluster } from './cluster.ts';
import { classifier, query, writeDocuments } from './models.ts';
import { startServer } from './nats.ts';
import { cli } from './processes.ts';
import { until } from './until.ts';

const START_MS = 150_000;
const FRAMES_AFTER = 20;

async function cluster(t: ExecutionContext, config: string, storeDir?: string) {
  t.timeout(START_MS);
  const cleanup = new Cleanup();
  t.teardown(() => cleanup.run());
  const server = await startServer(cleanup, { config, ...(storeDir === undefined ? {} : { storeDir }) });
  const documents = [
    classifier('looker', { batchMax: 16, emulation: { ...EMULATION, betaMs: 60 } }),
    query('watch', { look: { model: 'looker' } }),
  ];
  const running = await startCluster(cleanup, { natsUrl: server.url, actors: ACTORS, documents });
  const picture = await jpeg();
  await running.serves('watch', picture);
  return { cleanup, cluster: running, picture, server };
}
const ACTORS = ONE_OF_EACH.map(entry =>
  entry.actor === 'gpu-host' ? { ...entry, config: { ...EMULATED, profileSeconds: 0.2 } } : entry,
);
const EMULATION = { alphaMs: 1, betaMs: 15, persistentMB: 50, ephemeralMBPerItem: 5, loadMs: 20 };

/** Each of these frames has been answered, once. */
async function allAnswered(
  t: ExecutionContext,
  { ledger, story }: TestCluster,
  stream: string,
  seqs: readonly number[],
) {
  await ledger.settled(stream, seqs).catch(error => {
    t.log(story());
    throw error;
  });
  const bad = seqs.filter(seq => !/^(ok|late)$/.test(ledger.of(stream, seq)[0]!.outcome));
  t.deepEqual(bad, [], JSON.stringify(ledger.outcomes(stream)));
  t.deepEqual(ledger.twice(stream), []);
}

/** Adds to a model's folder what makes it some megabytes large. */
async function largeModel(folder: string, megabytes: number): Promise<string> {
  await mkdir(folder, { recursive: true });
  // Nothing runs it: an emulated device takes any bytes, and a model's files are stored before anybody looks at them.
  const module = `// ${randomBytes(megabytes * 512 * 1024).toString('hex')}\nexport const postprocess = () => ({ large: true });\n`;
  await writeFile(join(folder, 'large.mjs'), module);
  return writeDocuments(folder, 'large.yaml', [
    classifier('large', { postprocess: { kind: 'module', file: 'large.mjs' }, emulation: EMULATION }),
    query('large', { look: { model: 'large' } }),
  ]);
}

test.serial(
  'limits: max_payload is small: batches are split, models travel in pieces, a frame that is too large is told',
  async t => {
    const limit = 32 * 1024;
    const { cluster: running, cleanup, picture } = await cluster(t, `max_payload: ${limit}\n`);
    // Ten of these, granted as one batch, are far more than one message may hold.
    const half = new Uint8Array(limit / 2);
    half.set(picture);
    const stream = 'watch-split';
    const seqs = Array.from({ length: 64 }, (_, i) => i + 1);
    for (const seq of seqs) running.publish(stream, seq, half);
    await allAnswered(t, running, stream, seqs);
    const batches = seqs.map(seq => Object.values(running.ledger.of(stream, seq)[0]!.stages)[0]![0]!.batch);
    t.true(Math.max(...batches) * half.byteLength > 2 * limit, `${Math.max(...batches)} in the largest batch`);

    t.throws(() => running.publish(stream, 100, new Uint8Array(limit)), {
      instanceOf: PayloadTooLargeError,
      message: /max_payload/,
    });
    const file = join(running.folder, 'huge.jpg');
    await writeFile(file, Buffer.concat([picture, new Uint8Array(2 * limit)]));
    const asked = await cli(cleanup, ['infer', 'watch', file, '--nats', running.url]);
    t.not(asked.code, 0);
    t.regex(asked.out + asked.err, /exceed.* the limit of 32768|max_payload/);

    const applied = await cli(cleanup, ['apply', '-f', await largeModel(running.folder, 2), '--nats', running.url]);
    t.is(applied.code, 0, applied.err);
    await running.serves('large', picture);
  },
);

/** There is no room for a model: `apply` says so, and the cluster serves on. When there is, the rest is as before. */
async function fullStore(
  t: ExecutionContext,
  around: Awaited<ReturnType<typeof cluster>>,
  says: RegExp,
  makeRoom = async () => {},
) {
  const { cleanup, cluster: running, picture } = around;
  const flow = running.flow('watch-full', picture);
  await running.ledger.settled(flow.stream, [1, 2, 3]);
  const told = await cli(cleanup, ['apply', '-f', await largeModel(running.folder, 12), '--nats', running.url]);
  t.is(told.code, 1, told.out);
  t.regex(told.err, says);
  const from = flow.latest;
  await until('frames flow on', () => flow.after(from).length >= FRAMES_AFTER);
  flow.stop();
  await allAnswered(t, running, flow.stream, flow.published);
  await makeRoom();
  const small = await writeDocuments(running.folder, 'small.yaml', [
    classifier('small', { version: '3', emulation: EMULATION }),
    query('small', { look: { model: 'small' } }),
  ]);
  await until(
    'something small is applied',
    async () => (await cli(cleanup, ['apply', '-f', small, '--nats', running.url])).code === 0,
    { state: running.story },
  );
  await running.serves('small', picture);
}

test.serial('limits: JetStream may store no more: apply says so, the cluster serves on', async t => {
  const around = await cluster(t, 'jetstream { max_file_store: 8MB }\n');
  await fullStore(t, around, /JetStream has no room \(insufficient resources\); raise its max_file_store/);
});

const mayMount = ((): boolean => {
  try {
    return (
      process.platform === 'linux' &&
      execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt']).length === 0
    );
  } catch {
    return false;
  }
})();
(mayMount ? test.serial : test.serial.skip)(
  'limits: the disk of JetStream is full: apply says so, the cluster serves on (tmpfs)',
  async t => {
    const mounts = new Cleanup();
    t.teardown(() => mounts.run());
    const store = await mounts.folder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'none', store]);
    mounts.add(() => void execFileSync('umount', [store]));
    const around = await cluster(t, '', store);
    await fullStore(t, around, /JetStream (does not answer.*disk is full|has no room)/, async () => {
      execFileSync('mount', ['-o', 'remount,size=64m', store]);
      await around.server.crash();
      await around.server.startAgain();
    });
  },
);
