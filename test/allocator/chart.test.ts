import test from 'ava';
import { initialTransition, transition } from 'xstate';
import { epochChart, phaseOf, type EpochEvent, type EpochSnapshot } from '../../allocator/index.ts';
import type { Plan } from '../../contracts/index.ts';

const settings = { epochMinMs: 2, prepareMs: 3, commitMs: 4, drainMs: 5 };
const plan = (epoch: number): Plan => ({
  v: 1,
  epoch,
  nonce: 'n',
  policy: 'p',
  pools: [],
  hosts: [],
  sessions: [],
  queries: [],
  refused: [],
  profiles: [],
});
const after = (delay: string, state: string): EpochEvent =>
  ({ type: `xstate.after.${delay}.epoch.leading.${state}` }) as unknown as EpochEvent;

/** Plays events; answers where it stands and the named effects on the way. */
function play(...events: EpochEvent[]): { at: string; effects: string[]; snapshot: EpochSnapshot } {
  let [snapshot] = initialTransition(epochChart, settings);
  const effects: string[] = [];
  for (const event of events) {
    const [next, actions] = transition(epochChart, snapshot, event);
    snapshot = next;
    effects.push(...actions.map(action => action.type).filter(type => !type.startsWith('xstate.')));
  }
  const { value } = snapshot;
  const at = typeof value === 'string' ? value : Object.values(value).join();
  return { at, effects, snapshot };
}

const lead: EpochEvent = { type: 'lead', inForce: undefined, gatherMs: 1 };
const gathered = after('gathered', 'gathering');
const draft: EpochEvent = { type: 'draft', plan: plan(1), partial: false };
const complete: EpochEvent = { type: 'complete' };
const replan = (urgent: boolean): EpochEvent => ({ type: 'replan', reason: 'why', urgent });
const lose: EpochEvent = { type: 'lose', who: 'gpu-a' };
const firstEpoch = [lead, gathered, draft, complete, complete, complete];

test('epoch: gather, plan, prepare, commit, drain', t => {
  const { at, effects, snapshot } = play(...firstEpoch);
  t.is(at, 'resting');
  t.deepEqual(effects, ['makePlan', 'orderPrepare', 'publishPlan', 'orderRelease']);
  t.is(snapshot.context.inForce!.epoch, 1);
  t.is(snapshot.context.epochs, 1);
});

test('epoch: what is prepared is not in force before it is committed', t => {
  t.is(play(lead, gathered, draft).snapshot.context.inForce, undefined);
  t.is(phaseOf(play(lead, gathered, draft).snapshot), 'preparing');
  t.is(phaseOf(play(lead, gathered, draft, complete).snapshot), 'committing');
});

test('epoch: a re-plan waits for the one under way, and for the least length of an epoch unless urgent', t => {
  t.is(play(lead, gathered, draft, replan(true)).at, 'preparing');
  t.is(play(lead, gathered, draft, replan(true), complete, complete, complete).at, 'planning');
  t.is(play(...firstEpoch, replan(false)).at, 'resting');
  t.is(play(...firstEpoch, replan(false), after('epochMin', 'resting')).at, 'planning');
  t.is(play(...firstEpoch, replan(true)).at, 'planning');
});

test('epoch: loss aborts a preparation and plans at once', t => {
  const { at, effects, snapshot } = play(lead, gathered, draft, lose);
  t.is(at, 'planning');
  t.deepEqual(effects, ['makePlan', 'orderPrepare', 'makePlan']);
  t.is(snapshot.context.aborts, 1);
  t.is(snapshot.context.inForce, undefined);
});

test('epoch: loss while draining plans at once; the next drain releases the rest', t => {
  t.is(play(lead, gathered, draft, complete, complete, lose).at, 'planning');
  t.is(play(lead, gathered, draft, complete, lose).snapshot.context.inForce!.epoch, 1);
});

test('epoch: a refusal aborts and is tried again later', t => {
  const { at, snapshot } = play(lead, gathered, draft, { type: 'refuse', detail: 'no memory' });
  t.is(at, 'resting');
  t.regex(snapshot.context.detail, /epoch 1 was aborted: no memory/);
  t.false(snapshot.context.pending!.urgent);
});

test('epoch: a preparation that takes too long is blamed and aborted', t => {
  const { at, effects } = play(lead, gathered, draft, after('prepareDeadline', 'preparing'));
  t.is(at, 'resting');
  t.true(effects.includes('blame'));
});

test('epoch: a partial plan is followed by the next step as soon as it is drained', t => {
  const partial: EpochEvent = { type: 'draft', plan: plan(1), partial: true };
  t.is(play(lead, gathered, partial, complete, complete, complete).at, 'planning');
});

test('epoch: nothing is released while somebody does not follow', t => {
  const { at, effects } = play(lead, gathered, draft, complete, after('commitDeadline', 'committing'));
  t.is(at, 'resting');
  t.false(effects.includes('orderRelease'));
  t.is(play(lead, gathered, draft, complete, after('commitDeadline', 'committing'), { type: 'tidy' }).at, 'draining');
});

for (const before of [
  [lead],
  [lead, gathered],
  [lead, gathered, draft],
  [lead, gathered, draft, complete],
  firstEpoch,
]) {
  test(`epoch: deposed anywhere it stands by (after ${before.length} events)`, t => {
    const { at, effects } = play(...before, { type: 'depose', reason: 'lost the lease' });
    t.is(at, 'standby');
    t.is(effects.at(-1), 'stepDown');
  });
}

test('epoch: an event that no state expects is counted', t => {
  t.is(play({ type: 'tidy' }, { type: 'complete' }).snapshot.context.unexpected, 2);
  t.is(play(lead, gathered, draft, { type: 'tidy' }).snapshot.context.unexpected, 1);
});
