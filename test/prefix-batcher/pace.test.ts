import fc from 'fast-check';
import test from 'ava';
import { medianWithout, Pace } from '../../actors/prefix-batcher/pace.ts';

const after = (runs: number, times: number, meanMs = 20, usual = 1): Pace => {
  const pace = new Pace();
  for (let i = 0; i < runs; i++) {
    pace.observe(meanMs, times * meanMs);
    pace.judge({ ratio: usual, wrongShare: 0 });
  }
  return pace;
};

test('pace: four times its profile for many runs is slow, ten times is after two, twice never is', t => {
  t.false(after(3, 4).ails);
  t.true(after(20, 4).ails);
  t.false(after(1, 10).ails);
  t.true(after(2, 10).ails);
  t.false(after(100, 2).ails);
});

test('pace: what all hosts share is no fault of one', t => {
  t.false(after(50, 10, 20, 9).ails);
  t.true(after(50, 40, 20, 9).ails);
});

test('pace: a millisecond that takes ten met a busy processor', t => {
  t.false(after(2, 10, 1).ails);
  t.false(after(2, 10, 0.1).ails);
});

test('pace: a slow host is well again after three quick probes in a row, and judged anew from then on', t => {
  const pace = after(20, 10);
  const probe = (times: number): void => {
    pace.observe(20, times * 20);
    pace.judge({ ratio: 1, wrongShare: 0 });
  };
  for (const times of [1, 1, 4, 1, 1]) probe(times);
  t.true(pace.ails, 'not in a row');
  probe(1);
  t.false(pace.ails);
  probe(10);
  t.false(pace.ails, 'one long run');
});

test('pace: a host whose outputs are wrong three runs in a row ails, unless those of others are as well', t => {
  const wrong = (others: number): Pace => {
    const pace = new Pace();
    for (let i = 0; i < 3; i++) {
      pace.observe(20, 20, true);
      pace.judge({ ratio: 1, wrongShare: others });
    }
    return pace;
  };
  t.true(wrong(0).ails);
  t.false(wrong(0.5).ails, 'the model is to blame');
});

test('pace: each is held against the median of the others', t => {
  const number = fc.double({ min: 0, max: 9, noNaN: true });
  fc.assert(
    fc.property(fc.array(fc.oneof(number, fc.constantFrom(1, 2, 3)), { minLength: 1, maxLength: 12 }), values => {
      const growing = Float64Array.from(values).sort();
      for (const [i, value] of values.entries()) {
        const others = values.toSpliced(i, 1).sort((a, b) => a - b);
        t.is(medianWithout(growing, value), others[others.length >> 1] ?? 0);
      }
    }),
  );
  t.is(medianWithout(new Float64Array(0), undefined), 0);
  t.is(medianWithout(Float64Array.of(1, 2, 9), undefined), 2);
});
