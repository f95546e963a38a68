import test from 'ava';
import { Ways } from '../../actors/prefix-batcher/ways.ts';

const guess = { returnMs: 1, leadTransitMs: 1 };

/** A message takes `ms` each way, and timers go off `lateMs` late. */
function seen(ms: number, lateMs = 0, times = 100): Ways {
  const ways = new Ways(guess);
  for (let i = 0; i < times; i++) {
    ways.observeRoundTrip(2 * ms);
    ways.observeTimer(lateMs);
  }
  return ways;
}

test('ways: before anything was seen the configuration counts', t => {
  const ways = new Ways(guess);
  t.is(ways.returnMs, 1);
  t.is(ways.transitMs, 1);
  t.is(ways.oneWayMs, 0);
});

test('ways: steady ones are reserved as they are, quicker or slower than configured', t => {
  for (const ms of [0.2, 1, 5]) {
    const ways = seen(ms, 0.5);
    t.true(ways.returnMs >= 2 * ms && ways.returnMs <= 2 * ms + 0.2, `${ways.returnMs} for ${ms} ms each way`);
    t.true(Math.abs(ways.transitMs - ms - 0.5) < 0.1, `${ways.transitMs}`);
    t.true(Math.abs(ways.oneWayMs - ms) < 0.1);
  }
});

test('ways: one message that was held up does not change much, many do', t => {
  const ways = seen(0.2);
  ways.observeRoundTrip(3000);
  t.true(ways.returnMs < 2.5, `${ways.returnMs}`);
  for (let i = 0; i < 100; i++) ways.observeRoundTrip(8);
  t.true(ways.returnMs > 8 && ways.returnMs < 9, `${ways.returnMs}`);
});

test('ways: a bad moment after which nothing is seen is forgotten', t => {
  const ways = seen(40);
  t.is(ways.returnMs, 50, 'bounded');
  for (let s = 0; s < 10; s++) ways.relax();
  t.true(ways.returnMs < 1, `${ways.returnMs}`);
});

test('ways: what clocks that differ make of it does not count', t => {
  const ways = seen(0.2);
  ways.observeRoundTrip(-5);
  t.true(ways.returnMs >= 0.4);
});
