import { queriesOf } from './documents.ts';
import type { Cluster } from './cluster.ts';
import type { Watch } from './watch.ts';

/** So long everything must have been well. */
const CALM_MS = 2500;

/** A stored frame is answered within so long when all is well. */
const KEPT_MS = 2000;

/** What the cluster is stuck on: empty when it does all that it should. */
export function pending(cluster: Cluster, watch: Watch): string[] {
  const { beats, plans, requests } = watch;
  const nowMs = watch.nowMs();
  const stuck: string[] = [];
  const leaders = cluster.of('allocator').filter(({ id }) => beats.allocators.get(id)?.beat.role === 'leader');
  if (leaders.length !== 1) stuck.push(`${leaders.length} allocators lead`);
  const leader = leaders[0] && beats.allocators.get(leaders[0].id)?.beat;
  if (leader && leader.phase !== 'observing')
    stuck.push(`${leaders[0]!.id} is ${leader.phase}: ${leader.waitingFor.join(', ')}`);
  const epoch = leader?.epoch ?? 0;
  const plan = plans.published.get(epoch);
  if (!plan) stuck.push(`no plan of epoch ${epoch} was published`);
  for (const { query, reason } of plan?.refused ?? []) stuck.push(`${query} is refused: ${reason}`);
  for (const { id } of cluster.of('router')) {
    const follows = beats.routers.get(id)?.beat.epoch;
    if (follows !== epoch) stuck.push(`${id} follows epoch ${follows}, not ${epoch}`);
  }
  for (const { id } of cluster.of('batcher')) {
    const beat = beats.batchers.get(id)?.beat;
    if (beat?.epoch !== epoch || beat.nonce !== plan?.nonce)
      stuck.push(`${id} follows epoch ${beat?.epoch}, not ${epoch}`);
  }
  for (const { id } of cluster.of('gpu')) {
    const beat = beats.hosts.get(id)?.beat;
    const planned = plan?.hosts.find(({ host }) => host === id)?.models.map(({ model }) => model) ?? [];
    const held =
      beat?.residents.map(({ model, state }) => (state === 'resident' ? model : `${model} (${state})`)) ?? [];
    if (planned.toSorted().join() !== held.toSorted().join())
      stuck.push(`${id} holds ${held.join(', ') || 'nothing'}; the plan gives it ${planned.join(', ') || 'nothing'}`);
  }
  const recent = requests.results.filter(({ atMs }) => atMs > nowMs - CALM_MS);
  const bad = recent.filter(({ result }) => result.outcome !== 'ok');
  if (bad.length > 0) {
    const { outcome, query, trouble } = bad.at(-1)!.result;
    stuck.push(
      `${bad.length} of the latest ${recent.length} requests did not end well: ${query} ${outcome} ${trouble?.detail ?? ''}`,
    );
  }
  for (const { name, delivery } of queriesOf(cluster.scenario))
    if (delivery !== 'durable' && !recent.some(({ result }) => result.query === name))
      stuck.push(`no results of ${name}`);
  const unanswered = watch.durable.open(KEPT_MS);
  if (unanswered.length > 0)
    stuck.push(`${unanswered.length} stored frames have no result: ${unanswered.slice(0, 5).join(', ')}`);
  if (nowMs < cluster.scenario.healAtMs + CALM_MS) stuck.push('the calm has been short');
  return stuck;
}
