import test from 'ava';
import { Falls } from '../../allocator/index.ts';

const S = 1000;
const planned = (falls: Falls, beforeHz: number, afterHz: number, nowMs: number): void =>
  falls.planned(new Map([['s', beforeHz]]), new Map([['s', afterHz]]), nowMs);
/** So long it must be low from `fromMs` on until less is planned. */
function waitS(falls: Falls, fromMs: number): number {
  let nowMs = fromMs;
  while (!falls.low('s', nowMs)) nowMs += S;
  return (nowMs - fromMs) / S;
}

test('falls: at once, as long as none was regretted', t => {
  const falls = new Falls();
  t.is(waitS(falls, 0), 0);
  planned(falls, 100, 400, 10 * S);
  t.is(waitS(falls, 20 * S), 0, 'after a rise');
  planned(falls, 400, 100, 20 * S);
  t.is(waitS(falls, 30 * S), 0, 'after a fall');
});

test('falls: each time that the rate rises soon after one, the next waits twice as long, up to ten minutes', t => {
  const falls = new Falls();
  const waits: number[] = [];
  let nowMs = 0;
  for (let i = 0; i < 8; i++) {
    planned(falls, 400, 100, nowMs);
    planned(falls, 100, 400, (nowMs += 60 * S));
    const seconds = waitS(falls, nowMs);
    waits.push(seconds);
    nowMs += seconds * S;
  }
  t.deepEqual(waits, [30, 60, 120, 240, 480, 600, 600, 600]);
  planned(falls, 400, 100, nowMs);
  planned(falls, 100, 90, nowMs + 700 * S);
  t.is(waitS(falls, nowMs + 800 * S), 0, 'nothing rose for ten minutes');
});

test('falls: a rate that is used in between is not low', t => {
  const falls = new Falls();
  planned(falls, 400, 100, 0);
  planned(falls, 100, 400, 10 * S);
  t.false(falls.low('s', 20 * S));
  falls.used('s');
  t.false(falls.low('s', 45 * S));
  t.false(falls.low('s', 74 * S));
  t.true(falls.low('s', 75 * S));
});

test('falls: sessions that are gone are forgotten', t => {
  const falls = new Falls();
  planned(falls, 400, 100, 0);
  planned(falls, 100, 400, 10 * S);
  falls.planned(new Map([['s', 400]]), new Map(), 20 * S);
  t.true(falls.low('s', 30 * S));
});
