import test from 'ava';
import { Cluster } from '../../actors/allocator/cluster.ts';
import { toPrepare } from '../../actors/allocator/waiting.ts';
import type { HostBeat, Plan, Resident } from '../../contracts/index.ts';
import { holding, inForce } from '../allocator/drafts.ts';

const HOSTS = Array.from({ length: 32 }, (_, i) => `gpu-${i + 10}`);
const everywhere = (...models: string[]): Record<string, string[]> =>
  Object.fromEntries(HOSTS.map(host => [host, models]));
/** The plan with batches of two for all models. */
const inTwos = (plan: Plan): Plan => ({
  ...plan,
  epoch: plan.epoch + 1,
  hosts: plan.hosts.map(host => ({
    ...host,
    models: host.models.map(model => ({ ...model, batches: [1, 2], batchMax: 2 })),
  })),
});

/** A cluster of {@link HOSTS} with these models; `warmed` are the hosts that have run batches of two. */
function clusterOf(models: string[], warmed: readonly string[] = []): Cluster {
  const cluster = new Cluster();
  for (const [host, { residents }] of holding(everywhere(...models))) {
    const batches = warmed.includes(host) ? [1, 2] : [1];
    cluster.hearHost(host, beatOf(residents.map(resident => ({ ...resident, batches }))), 0);
  }
  return cluster;
}
const beatOf = (residents: readonly Resident[]): HostBeat =>
  ({ v: 1, state: 'ready', residents, device: { memoryBytes: 1000 } }) as unknown as HostBeat;

test('waiting: hosts that serve are warmed up for larger batches in turns, so that not all stand still at once', t => {
  const now = inForce(everywhere('x'));
  const turnOf = (warmed: readonly string[]): string[] => {
    const steps = toPrepare(inTwos(now), now, clusterOf(['x'], warmed));
    t.deepEqual(
      steps.map(({ host }) => host),
      HOSTS.filter(host => !warmed.includes(host)),
      'all that are left are waited for',
    );
    for (const { order, queued } of steps)
      t.is(queued, order ? undefined : true, 'whose turn has not come is not to blame');
    return steps.filter(({ order }) => order).map(({ host }) => host);
  };
  const warmed: string[] = [];
  for (let turn = 0; turn < HOSTS.length / 2; turn++) {
    const next = turnOf(warmed);
    t.is(next.length, 2, 'a sixteenth');
    warmed.push(...next);
  }
  t.deepEqual(turnOf(warmed), []);
});

test('waiting: what a host does not hold yet is loaded on all of them at once', t => {
  const now = inForce(everywhere('x'));
  const steps = toPrepare(inTwos(inForce(everywhere('x', 'y'))), now, clusterOf(['x']));
  t.is(steps.filter(({ order }) => order?.verb === 'prepare').length, HOSTS.length);
});
