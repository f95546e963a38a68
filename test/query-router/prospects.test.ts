import test from 'ava';
import { Prospects } from '../../actors/query-router/prospects.ts';

const OBJECTIVE_MS = 200;

/** 400 requests a second for some time, of which later stages carry `carriedHz`; those beyond are wasted. @returns admitted a second at the end */
function admitted(
  prospects: Prospects,
  carriedHz: number,
  fromMs: number,
  forMs: number,
  leftMs = OBJECTIVE_MS,
): number {
  let [count, carried] = [0, 0];
  for (let atMs = fromMs; atMs < fromMs + forMs; atMs += 2.5) {
    carried = Math.min(1, carried + carriedHz / 400);
    if (!prospects.admits(leftMs, OBJECTIVE_MS, atMs)) continue;
    if (atMs >= fromMs + forMs - 2000) count++;
    if (carried >= 1) {
      carried--;
      prospects.good(100, atMs);
    } else prospects.wasted(atMs);
  }
  return count / 2;
}

test('prospects: while later stages carry what is begun, all is let in', t => {
  t.is(admitted(new Prospects(), 400, 0, 5000), 400);
});

test('prospects: what later stages drop is not begun, and what they carry is', t => {
  const hz = admitted(new Prospects(), 100, 0, 20_000);
  t.true(hz > 85 && hz < 130, `${hz} let in, 100 are carried`);
});

test('prospects: when later stages carry more again, all is let in within seconds', t => {
  const prospects = new Prospects();
  admitted(prospects, 40, 0, 10_000);
  t.is(admitted(prospects, 400, 10_000, 12_000), 400);
});

test('prospects: what has less time than answers take goes first', t => {
  const prospects = new Prospects();
  admitted(prospects, 100, 0, 10_000);
  t.false(prospects.admits(80, OBJECTIVE_MS, 10_001), 'answers take 100 ms');
});

test('prospects: a few endings say nothing', t => {
  const prospects = new Prospects();
  for (let i = 0; i < 5; i++) prospects.wasted(i);
  t.true(prospects.admits(OBJECTIVE_MS, OBJECTIVE_MS, 1000));
  t.is(prospects.share, 1);
});
