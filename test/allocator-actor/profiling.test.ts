import test from 'ava';
import { VirtualClock } from '../../bus/index.ts';
import { silentLog, type HostBeat } from '../../contracts/index.ts';
import type { Catalog } from '../../actors/allocator/catalog.ts';
import { Cluster } from '../../actors/allocator/cluster.ts';
import { Orders } from '../../actors/allocator/orders.ts';
import { ProfileOrders } from '../../actors/allocator/profiling.ts';

const PROFILE_MS = 60_000;
const MODEL = 'reader@000000000001';

/** One model without a profile, and a host that takes every order and measures nothing. */
function stage() {
  const clock = new VirtualClock();
  const cluster = new Cluster();
  const given: number[] = [];
  const orders = new Orders({
    clock,
    fence: () => ({ epoch: 1, nonce: 'leader' }),
    send: async () => ({ v: 1, accepted: true }),
    spawn: (_what, work) => {
      given.push(clock.nowMs());
      void work();
    },
    replied: (host, _verb, reply) => profiles.replied(host, reply),
  });
  const catalog = {
    profiles: new Map(),
    draining: new Set(),
    measurable: () => [{ id: MODEL, batchMax: 8 }],
  } as unknown as Catalog;
  const ports = { clock, log: silentLog, catalog, cluster, orders, profileMs: PROFILE_MS };
  const profiles = new ProfileOrders({ ...ports, grouped: () => new Set(), failed: () => {} });
  const beat = (incarnation: string): void => {
    const facts = { v: 1, state: 'ready', residents: [], device: { kind: 'k', emulated: true }, incarnation };
    // As the director does.
    if (cluster.hearHost('gpu-a', facts as unknown as HostBeat, clock.nowMs())?.what === 'gone') orders.forget('gpu-a');
  };
  /** Beats and looks each second for so long. */
  const go = async (seconds: number, incarnation = 'first'): Promise<void> => {
    for (let i = 0; i < seconds; i++) {
      beat(incarnation);
      profiles.step();
      await clock.runFor(1000);
    }
  };
  return { go, given, profiles };
}

test('profiling: one order is given, and one more to a host that was started anew', async t => {
  const { go, given } = stage();
  await go(10);
  t.deepEqual(given, [0]);
  await go(10, 'second');
  t.deepEqual(given, [0, 10_000]);
});

test('profiling: an order of an earlier lease counts no more', async t => {
  const { go, given, profiles } = stage();
  await go(10);
  profiles.begin();
  await go(10);
  t.deepEqual(given, [0, 10_000]);
});

test('profiling: what is not measured in time is tried again later and later; a host that went says nothing of the model', async t => {
  const { go, given } = stage();
  for (let life = 0; life < 5; life++) await go(10, `life ${life}`);
  t.deepEqual(given, [0, 10_000, 20_000, 30_000, 40_000]);
  await go(250, 'life 4');
  t.deepEqual(
    given.slice(5).map(atMs => atMs - 40_000),
    [PROFILE_MS + 10_000, 2 * PROFILE_MS + 30_000, 3 * PROFILE_MS + 70_000],
  );
});
