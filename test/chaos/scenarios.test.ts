import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { ClusterDocument } from '../../contracts/index.ts';
import { checkAgainst, readChaos, type Verdict } from '../../deploy/chaos/index.ts';
import { readDocuments } from '../../deploy/documents/index.ts';
import { Cleanup } from '../end-to-end/cleanup.ts';
import { cli, ROOT } from '../end-to-end/processes.ts';
import { writeScenario } from './scenario.ts';

const LIMIT_MS = 180_000;
const EXAMPLES = join(ROOT, 'examples/chaos');
const cleanup = new Cleanup();
test.after.always('nothing is left over', async t => {
  t.timeout(LIMIT_MS);
  await cleanup.run();
});

for (const name of readdirSync(EXAMPLES).filter(file => file.endsWith('.yaml') && !/^(cluster|queries)\./.test(file))) {
  test(`chaos: the example ${name} is right`, async t => {
    const file = join(EXAMPLES, name);
    const { document, complain, done } = await readChaos(file);
    const { documents } = await readDocuments([join(EXAMPLES, document.cluster)]);
    const cluster = documents[0]!.document as ClusterDocument;
    checkAgainst(document, { document: cluster, baseDir: EXAMPLES, ownNats: true }, complain);
    t.notThrows(() => done());
  });
}

test('chaos: hosts, batchers and the leader are killed or stand still: nothing is lost', async t => {
  t.timeout(LIMIT_MS);
  const { file, folder } = await writeScenario(cleanup, {
    durationS: 24,
    faults: [
      { kind: 'kill', atS: 1, actor: 'gpu-1' },
      { kind: 'freeze', atS: 5, actor: 'gpu-2', forS: 4.5 },
      { kind: 'freeze', atS: 11, actor: 'batcher-1', forS: 4.5 },
      { kind: 'kill', atS: 16.5, actor: 'gpu-3' },
      { kind: 'kill', atS: 16.7, actor: 'allocator-1' },
      { kind: 'drain', atS: 20, actor: 'gpu-4' },
    ],
  });
  const { code, out, err } = await cli(cleanup, ['chaos', file, '--json', '--data', join(folder, 'data')]);
  t.is(code, 0, `${out}\n${err}`);
  const { requests, lost, doubled, outcomes, faults } = JSON.parse(out);
  t.true(requests > 200, `${requests} requests`);
  t.deepEqual({ lost, doubled, failed: outcomes.failed }, { lost: 0, doubled: 0, failed: 0 });
  t.is(faults.length, 6);
  t.true(
    faults.some(({ slowestMs }: { slowestMs: number }) => slowestMs > 2000),
    'a death was felt, and outlived',
  );
  for (const { fault, hit, slowestMs, backMs } of faults)
    t.log(`${fault}: ${hit} hit, slowest ${Math.round(slowestMs)} ms, back after ${backMs} ms`);
});

test('chaos: nats-server is killed: nothing stored is lost, and what can not be known is told apart', async t => {
  t.timeout(LIMIT_MS);
  const { file, folder } = await writeScenario(cleanup, {
    durationS: 10,
    load: [
      { stream: 'keep-1', query: 'keep', rateHz: 5 },
      { stream: 'watch-1', query: 'watch', rateHz: 5 },
    ],
    // The second time it is still away.
    faults: [
      { kind: 'kill-nats', atS: 3 },
      { kind: 'kill-nats', atS: 3.1 },
    ],
  });
  const { code, out, err } = await cli(cleanup, ['chaos', file, '--json', '--data', join(folder, 'data')]);
  t.is(code, 0, `${out}\n${err}`);
  const verdict: Verdict = JSON.parse(out);
  t.like(verdict, { lost: 0, doubled: 0 });
  const { requests, unknown, unsent, outcomes } = verdict;
  t.true(requests + unsent >= 80, 'frames of the durable query are published until they are stored');
  t.is(outcomes.ok + outcomes.late + outcomes.dropped + unknown, requests);
  t.log(`${requests} requests, ${unsent} unsent, ${unknown} unknown: ${JSON.stringify(outcomes)}`);
});

test('chaos: a scenario that names nobody of the cluster is refused, with the line and what to do', async t => {
  const { file } = await writeScenario(cleanup, { durationS: 5, faults: [{ kind: 'kill', atS: 1, actor: 'gpu-9' }] });
  const { code, err } = await cli(cleanup, ['chaos', file]);
  t.is(code, 2);
  t.regex(err, /scenario\.yaml:\d+: faults\[0\]\.actor: .*no actor "gpu-9"\n.*gpu-1/s);
});
