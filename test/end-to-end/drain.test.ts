import test, { type ExecutionContext } from 'ava';
import { decode, encode, realClock } from '../../bus/index.ts';
import { subjects, type Plan } from '../../contracts/index.ts';
import { Cleanup } from './cleanup.ts';
import { EMULATED, jpeg, ONE_OF_EACH, startCluster, type TestCluster } from './cluster.ts';
import type { Flow } from './flow.ts';
import { cli } from './processes.ts';
import { until } from './until.ts';

const FRAMES_AFTER = 20;

async function busyHost({ bus, prefix }: TestCluster): Promise<string> {
  const { data } = await bus.request(subjects.currentPlan.at(prefix), encode({ v: 1 }), { timeoutMs: 5_000 });
  const { plan } = decode(Uint8Array.from(data)) as { plan: Plan };
  return plan.hosts.find(({ models }) => models.length > 0)!.host;
}

interface Busy {
  readonly cleanup: Cleanup;
  readonly cluster: TestCluster;
  readonly flow: Flow;
  /** The one that serves. */
  readonly host: string;
}

/** Two hosts, one of which serves, while frames flow. */
async function twoHosts(t: ExecutionContext, stream: string): Promise<Busy> {
  t.timeout(180_000);
  const cleanup = new Cleanup();
  t.teardown(() => cleanup.run());
  const picture = await jpeg();
  const cluster = await startCluster(cleanup, {
    actors: ONE_OF_EACH.map(entry =>
      entry.actor === 'gpu-host' ? { actor: 'gpu-host', name: 'gpu', count: 2, config: EMULATED } : entry,
    ),
  });
  await cluster.serves('watch', picture);
  const flow = cluster.flow(stream, picture);
  await cluster.ledger.settled(flow.stream, [1, 2, 3]);
  return { cleanup, cluster, flow, host: await busyHost(cluster) };
}

/** Its process ends, and no frame is dropped, late, failed or answered twice. @returns the latest frame when it had ended */
async function leavesUnnoticed(t: ExecutionContext, { cluster, flow, host }: Busy): Promise<number> {
  const hasLeft = (): boolean => cluster.launched.actors().some(a => a.name === host && a.state === 'left');
  await until('its process has ended', hasLeft, { state: () => cluster.story() });
  const leftAt = flow.latest;
  await until('frames flow on', () => flow.after(leftAt).length >= FRAMES_AFTER);
  flow.stop();
  await cluster.ledger.settled(flow.stream, flow.published);
  t.deepEqual(Object.keys(cluster.ledger.outcomes(flow.stream)), ['ok'], 'no frame was dropped, late or failed');
  t.deepEqual(cluster.ledger.twice(flow.stream), []);
  return leftAt;
}

test('drain: a host is drained while frames flow: nothing is dropped, the host leaves, the other one serves', async t => {
  const busy = await twoHosts(t, 'watch-drain');
  const { cluster, cleanup, flow, host } = busy;
  const other = host === 'gpu-1' ? 'gpu-2' : 'gpu-1';

  const told = await cli(cleanup, ['drain', host, '--wait', '--nats', cluster.url]);
  t.is(told.code, 0, told.err);
  t.regex(told.out, new RegExp(`${host} has left`));
  const leftAt = await leavesUnnoticed(t, busy);
  const hosts = flow
    .after(leftAt)
    .flatMap(seq =>
      Object.values(cluster.ledger.of(flow.stream, seq)[0]!.stages).flatMap(results => results.map(one => one.host)),
    );
  t.deepEqual([...new Set(hosts)], [other]);
  const exit = cluster.events.find(event => event.event === 'exited' && event.actor === host);
  t.like(exit, { code: 0, signal: null, expected: true }, 'it left by itself and is not started again');
  t.log(`${flow.published.length} frames`);
});

test('drain: the only host that a model is on has to leave within 15 s: it leaves in time, nothing is dropped', async t => {
  const busy = await twoHosts(t, 'watch-notice');
  const { cluster, cleanup, flow, host } = busy;
  const wrong = await cli(cleanup, ['drain', host, '--within', 'soon', '--nats', cluster.url]);
  t.is(wrong.code, 2, wrong.out);
  const withinS = 15;
  const askedMs = realClock.nowMs();
  const told = await cli(cleanup, [
    'drain',
    host,
    '--within',
    `${withinS}s`,
    '--json',
    '--wait',
    '--nats',
    cluster.url,
  ]);
  const leftMs = realClock.nowMs() - askedMs;
  t.is(told.code, 0, told.err);
  t.like(JSON.parse(told.out), { host, left: true });
  t.regex((JSON.parse(told.out) as { detail: string }).detail, /it leaves within 15 s/);
  t.true(leftMs < 1000 * withinS + 10_000, `${leftMs} ms`);
  await leavesUnnoticed(t, busy);
  t.log(`${flow.published.length} frames, left after ${(leftMs / 1000).toFixed(1)} s`);
});
