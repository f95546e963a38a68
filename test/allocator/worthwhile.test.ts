import test from 'ava';
import { makePlan } from '../../allocator/index.ts';
import type { Profile } from '../../contracts/index.ts';
import { worthwhile } from '../../allocator/worthwhile.ts';
import { linear, profileOf } from './profiles.ts';

/** PP-OCRv4's recogniser on one CPU thread: a batch is slower than its inputs one by one. */
const onCpu = profileOf('reader', linear(0, 1));
const measured: Profile = {
  ...onCpu,
  points: [
    [1, 22],
    [2, 55.7],
    [4, 113],
    [8, 250],
  ].map(([batch, meanMs]) => ({ ...onCpu.points[0]!, batch: batch!, meanMs: meanMs!, stdMs: 0, p99Ms: meanMs! })),
};
const batches = (profile: Profile): number[] => profile.points.map(({ batch }) => batch);

test('worthwhile: where a batch is slower than its inputs one by one, only batches of one are left', t => {
  t.deepEqual(batches(worthwhile(measured)), [1]);
});

test('worthwhile: a curve that gains with every batch is left as it is, one that ends flat too', t => {
  const gpu = profileOf('gpu', linear(1, 5));
  t.is(worthwhile(gpu), gpu);
  const flat = {
    ...measured,
    points: measured.points.map(point => ({ ...point, meanMs: 10 * point.batch, p99Ms: 10 * point.batch })),
  };
  t.is(worthwhile(flat), flat);
});

test('worthwhile: a dip on the way up costs nothing behind it', t => {
  const dip = { ...measured, points: measured.points.map((point, i) => ({ ...point, meanMs: [10, 25, 30, 50][i]! })) };
  t.deepEqual(batches(worthwhile(dip)), [1, 2, 4, 8]);
});

const heldWith = (profile: Profile, objectiveMs = 500) =>
  makePlan({
    models: new Map([['reader', { id: 'reader', batchMax: 8 }]]),
    queries: [{ kind: 'Query', name: 'q', objectiveMs, rateHz: 2, stages: { read: { model: 'reader' } } }],
    rateHz: () => undefined,
    profiles: [{ ...profile, device: 'cpu' }],
    hosts: [{ host: 'a', kind: 'cpu', memoryBytes: 4e9, holds: [], barred: new Map() }],
    batchers: ['b'],
    current: undefined,
    settings: { policy: 'pooled', networkMs: 3, replicasMin: 1 },
  }).draft.hosts[0]!.models[0];

test('planner: a model for which batches do not pay is planned, warmed up and run one by one', t => {
  t.like(heldWith(measured), { batchMax: 1, batches: [1] });
});

test('planner: where batches do not pay a few are granted at once all the same, to be run one by one: that saves messages', t => {
  const times = (ms: number): Profile => ({
    ...measured,
    points: measured.points.map(point => ({ ...point, meanMs: (point.meanMs * ms) / 22 })),
  });
  t.is(heldWith(times(22))?.grantMax, 3);
  t.is(heldWith(times(80))?.grantMax, 2);
  t.is(heldWith(times(1))?.grantMax, 8, 'as the document allows');
  t.is(heldWith(times(1), 10)?.grantMax, 5, 'within the objective');
  t.is(heldWith(times(120))?.grantMax, undefined, 'the messages are a trifle, binding late is worth more');
  t.is(heldWith(profileOf('reader', linear(1, 5)))?.grantMax, undefined, 'one run does');
});
