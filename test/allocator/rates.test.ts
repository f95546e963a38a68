import test from 'ava';
import { outgrown, RateBook } from '../../allocator/index.ts';
import type { RouterBeat } from '../../contracts/index.ts';

const KEY = { tenant: 'default', query: 'q', stage: 's' };
const beat = (rateHz: number, count = Math.round(rateHz)): RouterBeat => ({
  v: 1,
  epoch: 1,
  inFlight: 0,
  heldBytes: 0,
  queries: [],
  duplicates: 0,
  reoffers: 0,
  intervalMs: 1000,
  rssBytes: 0,
  loopDelayP99Ms: 0,
  stages: [{ ...KEY, rateHz, fanout: 1, count }],
});
const book = () => new RateBook({ averageMs: 10_000, enoughMs: 10_000 });

test('rates: unknown until there is enough data, unbiased then, summed over routers', t => {
  const rates = book();
  for (let i = 0; i < 9; i++) rates.hear('r1', beat(30));
  t.is(rates.rateHz(KEY), undefined);
  rates.hear('r1', beat(30));
  t.is(Math.round(rates.rateHz(KEY)!), 30);
  rates.hear('r2', beat(12));
  t.is(Math.round(rates.rateHz(KEY)!), 42);
  rates.forget('r1');
  for (let i = 0; i < 10; i++) rates.hear('r2', beat(12));
  t.is(Math.round(rates.rateHz(KEY)!), 12);
});

test('rates: silence before the first frame is no measurement, silence after it is', t => {
  const rates = book();
  for (let i = 0; i < 60; i++) rates.hear('r1', beat(0));
  t.is(rates.rateHz(KEY), undefined);
  for (let i = 0; i < 20; i++) rates.hear('r1', beat(20));
  t.is(Math.round(rates.rateHz(KEY)!), 20);
  for (let i = 0; i < 60; i++) rates.hear('r1', beat(0, 400));
  t.true(rates.rateHz(KEY)! < 0.2);
});

test('rates: up sooner than down, and never for noise', t => {
  t.false(outgrown(1090, 1000, 10_000));
  t.true(outgrown(1150, 1000, 10_000));
  t.false(outgrown(750, 1000, 10_000));
  t.true(outgrown(650, 1000, 10_000));
  // Two requests a second by chance three: no reason to move models.
  t.false(outgrown(3, 2, 10_000));
  t.true(outgrown(6, 2, 10_000));
});
