import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { modelOf, prefixId, suffixId, type Answer, type StoredModel } from '../../contracts/index.ts';
import { declaredCut } from '../../gpu-host/index.ts';
import { brokenPicture, document, openRig, stored, type RigOptions } from './rig.ts';

/** ℓ(b) = 2b + 10 and 100 MB, of which 1.5b + 9 and 90 MB are the trunk's. */
function variant(name: string, digit: string): StoredModel {
  const doc = document(name, { prefix: { name: 'trunk', alphaMs: 1.5, betaMs: 9, persistentMB: 90 } });
  return { ...stored({ ...doc, postprocess: { kind: 'classes', labels: [name] } }, digit), cuts: [declaredCut(doc)!] };
}
const VARIANTS = ['score', 'clock', 'names'].map((name, i) => variant(name, String(i + 2)));
const [SCORE, CLOCK, NAMES] = VARIANTS as [StoredModel, StoredModel, StoredModel];
const { cut } = declaredCut(SCORE.document)!;
const TRUNK = prefixId(cut);
const suffix = (model: StoredModel): string => suffixId(model.id, cut);

const planned = (model: string, change: object = {}) => ({ model, lane: 0, batches: [1, 4], batchMax: 8, ...change });
const trunk = planned(TRUNK, { of: SCORE.id });

async function openGroup(t: ExecutionContext, members: readonly StoredModel[], options: RigOptions = {}) {
  const host = await openRig(t, { models: VARIANTS, ...options });
  const join = async (...models: object[]) => host.order({ verb: 'prepare', models: models as never });
  const arrived = (...parts: string[]) =>
    host.clock.runUntilTrue(() => parts.every(part => host.resident(part)?.state === 'resident'));
  t.true((await join(trunk, ...members.map(model => planned(suffix(model))))).accepted);
  await arrived(TRUNK, ...members.map(suffix));
  await host.clock.runFor(1);
  return { ...host, join, arrived };
}

/** What an answer of a pretended classifier says. */
const label = (answer: Answer): string | undefined =>
  answer.is === 'output' && answer.output.kind === 'classes' ? answer.output.classes[0]?.label : answer.is;

test('groups: a prefix is loaded once, each suffix beside it; the memory saved shows in beats', async t => {
  const host = await openGroup(t, [SCORE, CLOCK], { memoryMB: 250 });
  t.like(host.resident(TRUNK), { persistentBytes: 90e6, batches: [1, 4] });
  t.like(host.resident(suffix(CLOCK)), { persistentBytes: 10e6, wholeBytes: 100e6, batches: [1, 4] });
  t.is(host.beat().persistentBytes, 110e6);
  t.is(host.beat().ephemeralBytes, 80e6, 'parts run one after the other: the largest counts');
});

test('groups: a mixed batch runs the prefix once, and each request is answered by its own model', async t => {
  const host = await openGroup(t, [SCORE, CLOCK]);
  host.grant('b1', { ids: [1, 2, 3, 4, 5], models: [suffix(SCORE), suffix(CLOCK)], expectedMs: 21 });
  await host.clock.runFor(50);
  t.deepEqual(Object.values(host.said('b1')).map(label), ['score', 'clock', 'score', 'clock', 'score']);
  const [answers] = host.answers.filter(({ batch }) => batch === 'b1');
  t.is(answers!.size, 5);
  t.is(answers!.runMs, 1.5 * 5 + 9 + (0.5 * 3 + 1) + (0.5 * 2 + 1));
  t.deepEqual(new Set(answers!.model), new Set([SCORE.id, CLOCK.id]), 'routers hear of models, not of parts');
});

test('groups: more than the prefix may run at once is run in turns', async t => {
  const host = await openGroup(t, [SCORE, CLOCK]);
  await host.join({ ...trunk, batchMax: 4 });
  await host.order({ verb: 'release', keep: [TRUNK, suffix(SCORE), suffix(CLOCK)] });
  const ids = [1, 2, 3, 4, 5, 6, 7];
  host.grant('b1', { ids, models: [suffix(SCORE), suffix(CLOCK)], expectedMs: 60 });
  await host.clock.runFor(100);
  t.is(Object.keys(host.said('b1')).length, 7);
  t.is(host.answers[0]!.runMs, 1.5 * 7 + 2 * 9 + 0.5 * 7 + 4);
});

test('groups: a bad input fails alone, a suffix that fails fails its own', async t => {
  const host = await openGroup(t, [SCORE, CLOCK], {
    device: device => ({
      ...device,
      loadPrefix: async (model, options) => {
        const prefix = await device.loadPrefix(model, options);
        return {
          ...prefix,
          runMixed: async members => {
            const { runMs, members: ran } = await prefix.runMixed(members);
            const broken = members.map(({ suffix, inputs }) => suffix.startsWith('clock') && inputs.length > 1);
            return { runMs, members: ran.map((one, i) => (broken[i] ? new Error('NaN in the last layer') : one)) };
          },
        };
      },
    }),
  });
  host.outline('b1', { ids: [1, 2, 3, 4, 5], models: [suffix(SCORE), suffix(CLOCK)] });
  host.payloads('b1', [1, 2, 4, 5]);
  host.payloads('b1', [3], { payload: brokenPicture });
  await host.clock.runFor(50);
  const said = host.said('b1');
  t.deepEqual(
    [1, 5].map(id => label(said[id]!)),
    ['score', 'score'],
  );
  t.like(said[3], { is: 'failed', reason: 'input' });
  for (const id of [2, 4]) t.like(said[id], { is: 'failed', detail: 'NaN in the last layer' });
});

test('groups: members join and leave while requests flow; the prefix goes with the last', async t => {
  const host = await openGroup(t, [SCORE]);
  host.grant('b1', { ids: [1, 2], model: suffix(SCORE), expectedMs: 14 });
  t.true((await host.join(planned(suffix(NAMES)))).accepted, 'the prefix is here: only the suffix is ordered');
  host.grant('b2', { ids: [3, 4], model: suffix(SCORE), expectedMs: 14 });
  await host.arrived(suffix(NAMES));
  host.grant('b3', { ids: [5, 6], models: [suffix(SCORE), suffix(NAMES)], expectedMs: 15 });
  await host.order({ verb: 'release', keep: [TRUNK, suffix(NAMES)] });
  t.is(host.resident(suffix(SCORE))?.state, 'releasing', 'it stays until b3 has run');
  await host.clock.runFor(60);
  t.is(host.resident(suffix(SCORE)), undefined);
  host.grant('b4', { ids: [7, 8], model: suffix(NAMES), expectedMs: 14 });
  await host.order({ verb: 'release', keep: [] });
  t.deepEqual(
    [TRUNK, suffix(NAMES)].map(part => host.resident(part)?.state),
    ['releasing', 'releasing'],
  );
  await host.clock.runFor(60);
  t.deepEqual(host.beat().residents, []);
  const ended = ['b1', 'b2', 'b3', 'b4'].flatMap(batch => Object.values(host.said(batch)).map(label));
  t.deepEqual(ended, ['score', 'score', 'score', 'score', 'score', 'names', 'names', 'names']);
});

test('groups: a model is here whole and as a suffix while it moves; batches of either kind run', async t => {
  const host = await openGroup(t, [SCORE]);
  await host.prepare(SCORE.id);
  host.grant('b1', { ids: [1], model: SCORE.id, expectedMs: 12 });
  host.grant('b2', { ids: [2], model: suffix(SCORE), expectedMs: 12 });
  await host.clock.runFor(50);
  t.deepEqual([host.said('b1')[1]!, host.said('b2')[2]!].map(label), ['score', 'score']);
  await host.order({ verb: 'release', keep: [SCORE.id] });
  await host.clock.runUntilTrue(() => host.beat().residents.length === 1);
  host.grant('b3', { ids: [3], model: suffix(SCORE) });
  await host.clock.runFor(10);
  t.deepEqual(host.said('b3'), { 3: { is: 'refused', reason: 'not-resident' } });
});

test('groups: a suffix without its prefix is refused; one whose prefix can not be loaded fails', async t => {
  const host = await openRig(t, { models: [...VARIANTS, stored(document('plain'), '9')] });
  t.like(await host.order({ verb: 'prepare', models: [planned(suffix(SCORE))] }), {
    accepted: false,
    reason: 'failed',
  });
  t.like(await host.order({ verb: 'prepare', models: [planned(TRUNK)] }), { accepted: false, reason: 'unknown-model' });
  const plain = `plain@${'9'.repeat(12)}`;
  const models = [planned(TRUNK, { of: plain }), planned(suffix(SCORE))];
  t.true((await host.order({ verb: 'prepare', models })).accepted);
  await host.clock.runUntilTrue(() => host.resident(suffix(SCORE))?.state === 'failed');
  t.regex(host.resident(TRUNK)!.detail!, /knows no cut/);
  t.regex(host.resident(suffix(SCORE))!.detail!, /knows no cut/);
});

test('groups: parts are measured; what is loaded for that goes again', async t => {
  const host = await openRig(t, { models: VARIANTS });
  t.true((await host.order({ verb: 'profile', model: suffix(CLOCK), batchMax: 4 })).accepted);
  t.true((await host.order({ verb: 'profile', model: TRUNK, of: CLOCK.id, batchMax: 4 })).accepted);
  await host.clock.runUntilTrue(() => host.resident(suffix(CLOCK))?.state === 'resident');
  await host.clock.runUntilTrue(() => host.beat().residents.length === 0, 100_000);
  const head = await host.profile(`${suffix(CLOCK).replace('@', '.')}.emulated`);
  const shared = await host.profile(`${TRUNK}.emulated`);
  t.deepEqual(
    head?.points.map(point => point.meanMs),
    [1.5, 2, 2.5, 3],
  );
  t.deepEqual(
    shared?.points.map(point => point.meanMs),
    [10.5, 12, 13.5, 15],
  );
});

test('groups: in any mixed batch each request gets what its model alone gives it, once', async t => {
  const members = fc.array(fc.nat(VARIANTS.length - 1), { minLength: 1, maxLength: 24 });
  await fc.assert(
    fc.asyncProperty(fc.array(members, { minLength: 1, maxLength: 5 }), async batches => {
      const host = await openGroup(t, VARIANTS);
      for (const [b, of] of batches.entries()) {
        const models = of.map(index => suffix(VARIANTS[index]!));
        host.grant(`b${b}`, { ids: of.map((_, i) => i), models, budgetMs: 5000, latestInMs: 4000, expectedMs: 200 });
      }
      await host.clock.runFor(6000);
      for (const [b, of] of batches.entries()) {
        const rows = host.answers.filter(({ batch }) => batch === `b${b}`);
        const ids = rows.flatMap(row => row.ids);
        t.is(new Set(ids).size, of.length);
        t.is(ids.length, of.length);
        t.deepEqual(
          Object.values(host.said(`b${b}`)).map(label),
          of.map(index => VARIANTS[index]!.document.name),
        );
        for (const { ids, model } of rows)
          t.deepEqual(
            model,
            ids.map(id => modelOf(suffix(VARIANTS[of[id]!]!))),
          );
      }
      host.running.kill();
    }),
    { numRuns: 15 },
  );
});
