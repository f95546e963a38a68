import test from 'ava';
import { curveOf, curvesOf, largestBatch } from '../../allocator/index.ts';
import { ProfileMissingError } from '../../contracts/index.ts';
import { curve, linear, profileOf } from './profiles.ts';

test('curve: linear between measured batches, refused outside', t => {
  const c = curve('m', { 4: 50, 8: 90, 16: 125 });
  t.is(c.latencyMs(4), 50);
  t.is(c.latencyMs(6), 70);
  t.is(c.latencyMs(16), 125);
  for (const batch of [0, 3, 17, 4.5])
    t.throws(() => c.latencyMs(batch), { instanceOf: RangeError, message: /4 to 16/ });
});

test('curve: mean plus deviation is planned with', t => {
  const profile = profileOf('m', { 1: 10, 2: 14 });
  const c = curveOf({ ...profile, points: profile.points.map(p => ({ ...p, stdMs: 2 })) });
  t.is(c.latencyMs(1), 12);
  t.is(c.latencyMs(2), 16);
});

test('curve: a larger batch measured faster is lifted and that is said (vgg16, batches 4 to 6)', t => {
  const c = curve('vgg16', { 4: 20.5512, 5: 20.4613, 6: 22.7735 });
  t.is(c.latencyMs(5), 20.5512);
  t.regex(c.note!, /batches 5 were measured faster/);
  t.is(curve('even', linear(1, 1)).note, undefined);
});

test('curve: a missing one is named', t => {
  const curves = curvesOf([profileOf('m@1', { 1: 1 })], () => undefined);
  const error = t.throws(() => curves.get('m@1', 'a100'), { instanceOf: ProfileMissingError });
  t.like(error, { model: 'm@1', device: 'a100' });
});

test('curve: the document of the model limits the batch', t => {
  const c = curveOf(profileOf('m', linear(1, 1, 32)), { batchMax: 5 });
  t.is(
    largestBatch(c, () => true),
    5,
  );
  t.is(
    largestBatch(c, b => b <= 3),
    3,
  );
  t.is(
    largestBatch(c, () => false),
    undefined,
  );
});
