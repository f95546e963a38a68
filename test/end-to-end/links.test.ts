import test, { type ExecutionContext } from 'ava';
import { realClock } from '../../bus/index.ts';
import { sleep } from '../../contracts/index.ts';
import { collectView, isAlive, type ViewCollector } from '../../deploy/view/index.ts';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.ts';
import { openNetworkNamespace, type NetworkNamespace } from '../helpers/network-namespace.ts';
import { Cleanup } from './cleanup.ts';
import { EMULATED, jpeg, startCluster, type TestCluster } from './cluster.ts';
import { classifier, query } from './models.ts';
import { startServer } from './nats.ts';
import { startInside } from './processes.ts';
import { until } from './until.ts';

/** A host and a router whose cables to the server are in our hands, beside a host and a router on good ones. */
const START_MS = 150_000;
/** Beyond every heartbeat deadline: the fault itself, nothing is awaited by it. */
const FAULT_MS = 4_000;
const FRAMES_AFTER = 20;

const cleanup = new Cleanup();
let cluster: TestCluster;
let picture: Uint8Array;
let seen: ViewCollector;
const cables: Record<string, FaultProxy> = {};
const namespace = openNetworkNamespace();

/** A process that reaches the server through a proxy, from a namespace where given. */
async function far(
  actor: string,
  name: string,
  natsPort: number,
  config: object,
  from?: NetworkNamespace,
): Promise<void> {
  const { host = '127.0.0.1', enter = [] } = from ?? {};
  const cable = await startFaultProxy(natsPort, host);
  cables[name] = cable;
  cleanup.add(() => cable.close());
  const at = ['--name', name, '--nats', `nats://${host}:${cable.port}`];
  const program = startInside(cleanup, enter, ['run', actor, ...at, '--config', JSON.stringify(config)]);
  await until(`${name} beats`, () => [...seen.view().hosts, ...seen.view().routers].some(one => one.name === name), {
    state: () => program.out() + program.err(),
  });
}

test.before(async t => {
  t.timeout(START_MS);
  cleanup.add(() => namespace?.remove());
  picture = await jpeg();
  const server = await startServer(cleanup);
  // A host does 14 a second: both are needed for the 20 that come.
  const emulation = { alphaMs: 60, betaMs: 10, persistentMB: 50, ephemeralMBPerItem: 5, loadMs: 20 };
  cluster = await startCluster(cleanup, {
    natsUrl: server.url,
    actors: [
      { actor: 'query-router', name: 'router-near' },
      { actor: 'prefix-batcher', name: 'batcher' },
      { actor: 'gpu-host', name: 'gpu-near', config: EMULATED },
      { actor: 'allocator', name: 'allocator', config: { gatherMs: 500 } },
    ],
    documents: [classifier('looker', { emulation }), query('watch', { look: { model: 'looker' } })],
  });
  seen = collectView(cluster.bus, { prefix: cluster.prefix, clock: realClock });
  cleanup.add(() => seen.close());
  await far('gpu-host', 'gpu-far', server.port, EMULATED, namespace);
  await far('query-router', 'router-far', server.port, {});
  await cluster.serves('watch', picture);
});
test.after.always('nothing is left over', async t => {
  t.timeout(START_MS);
  await cleanup.run();
});

/** Resolves when both hosts hold the model by the plan in force. */
const inUse = (): Promise<unknown> =>
  until('both hosts serve', () => seen.view().plan?.pools[0]?.hosts.length === 2 && seen.view().hosts.every(isAlive), {
    limitMs: 90_000,
    state: () => JSON.stringify(seen.view().plan?.pools) + cluster.story(),
  });

/** @returns what takes it back */
type Fault = (cable: FaultProxy) => (() => void) | void;
const FAULTS = {
  'is pulled': cable => cable.cut('up', 'down'),
  'carries nothing from it': cable => cable.cut('up'),
  'carries nothing to it': cable => cable.cut('down'),
  breaks: cable => cable.refuse(),
  'is long and narrow': cable => cable.shape({ latencyMs: 50, bytesPerS: 200_000 }),
} satisfies Record<string, Fault>;

/** Frames before, during and after; then each of them has been answered, once. */
async function nothingLost(t: ExecutionContext, stream: string, name: string, fault: Fault): Promise<void> {
  t.timeout(START_MS);
  const flow = cluster.flow(stream, picture);
  await inUse();
  await cluster.ledger.settled(flow.stream, [1, 2, 3]);
  const cable = cables[name]!;
  const heal = fault(cable) ?? (() => cable.heal());
  await sleep(realClock, FAULT_MS);
  heal();
  const from = flow.latest;
  await until('frames flow on', () => flow.after(from).length >= FRAMES_AFTER);
  flow.stop();
  await cluster.ledger.settled(flow.stream, flow.published, 90_000).catch(error => {
    t.log(cluster.story());
    throw error;
  });
  t.log(`${flow.published.length} frames: ${JSON.stringify(cluster.ledger.outcomes(flow.stream))}`);
  const bad = flow.published.filter(seq => !/^(ok|late)$/.test(cluster.ledger.of(flow.stream, seq)[0]!.outcome));
  t.deepEqual(bad, []);
  t.deepEqual(cluster.ledger.twice(flow.stream), []);
}

const CASES: readonly (readonly [name: string, what: keyof typeof FAULTS])[] = [
  ['gpu-far', 'is pulled'],
  ['gpu-far', 'carries nothing from it'],
  ['gpu-far', 'carries nothing to it'],
  ['gpu-far', 'breaks'],
  ['router-far', 'is pulled'],
  ['router-far', 'carries nothing to it'],
  ['router-far', 'is long and narrow'],
];
for (const [i, [name, what]] of CASES.entries())
  test.serial(`links: the cable of ${name} ${what}, for ${FAULT_MS / 1000} s: no frame is lost`, t =>
    nothingLost(t, `watch-${i}`, name, FAULTS[what]),
  );

(namespace ? test.serial : test.serial.skip)(
  `links: the network of gpu-far goes down, for ${FAULT_MS / 1000} s: no frame is lost (network namespace)`,
  t =>
    nothingLost(t, 'watch-namespace', 'gpu-far', () => {
      namespace!.pull();
      return () => namespace!.plugIn();
    }),
);
