import test from 'ava';
import fc from 'fast-check';
import type { Fate } from '../../actors/query-router/hosts.ts';
import { judge, type Loss } from '../../actors/query-router/suspicion.ts';
import { looking, text, world, type World } from './world.ts';

const patient = { ...looking, objectiveMs: 30_000 };

/** A router with one request, granted to gpu-a together with `others`. */
async function granted(w: World, others = 0) {
  await w.router();
  for (const host of ['gpu-a', 'gpu-b', 'gpu-c']) w.hostBeat(host, { incarnation: `${host}-1` });
  await w.clock.runFor(1);
  for (let seq = 1; seq <= 1 + others; seq++) w.frame('cam-1', { seq });
  await w.clock.runFor(1);
  w.grant(w.offers.slice(0, 1 + others), 'gpu-a', 20);
  await w.clock.runFor(1);
}
const restarts = (w: World, host: string): void => w.hostBeat(host, { incarnation: `${host}-2` });

test('poison: two hosts die of a request, the second while it ran nothing else, and no third is given it', async t => {
  const w = await world(t, { queries: [patient] });
  await granted(w, 1);
  restarts(w, 'gpu-a');
  await w.clock.runFor(1);
  const [, , guilty, innocent] = w.offers;
  t.true(guilty!.alone && innocent!.alone, 'after one death each is offered alone');
  w.grant(guilty!, 'gpu-b', 20);
  w.answer(innocent!, w.grant(innocent!, 'gpu-c', 20), text('fine'), { host: 'gpu-c' });
  await w.clock.runFor(1);
  restarts(w, 'gpu-b');
  await w.clock.runFor(1);
  t.is(w.offers.length, 4);
  t.like(w.results, [
    { outcome: 'ok', seq: 2 },
    { outcome: 'failed', seq: 1, trouble: { at: 'router', reason: 'poison', retryable: false, stage: 'look' } },
  ]);
  t.regex(w.results[1]!.trouble!.detail, /gpu-a, gpu-b died/);
});

test('poison: a host that gave no answer in time is asked after before the request goes to another (restarted)', async t => {
  const w = await world(t, { queries: [patient] });
  await granted(w);
  await w.clock.runFor(200);
  t.true(w.offers[1]!.alone, 'nothing was heard of gpu-a since');
  w.grant(w.offers[1]!, 'gpu-b', 20);
  await w.clock.runFor(900);
  t.is(w.offers.length, 2, 'gpu-b had it alone, and nothing is heard of it: nobody else gets it');
  for (const host of ['gpu-a', 'gpu-b']) restarts(w, host);
  await w.clock.runFor(200);
  t.like(w.results, [{ outcome: 'failed', trouble: { reason: 'poison' } }]);
});

test('poison: a host that gave no answer in time is asked after before the request goes to another (alive)', async t => {
  const w = await world(t, { queries: [patient] });
  await granted(w);
  await w.clock.runFor(200);
  w.grant(w.offers[1]!, 'gpu-b', 20);
  await w.clock.runFor(500);
  for (const host of ['gpu-a', 'gpu-b']) w.hostBeat(host, { incarnation: `${host}-1` });
  await w.clock.runFor(200);
  t.is(w.offers.length, 3);
  t.false(w.offers[2]!.alone, 'both outlived it: messages were lost');
  w.answer(w.offers[2]!, w.grant(w.offers[2]!, 'gpu-b', 20), text('x'), { host: 'gpu-b' });
  await w.clock.runFor(1);
  t.is(w.results[0]!.outcome, 'ok');
});

test('poison: hosts that only fall silent are given it once more, then it is condemned', async t => {
  const w = await world(t, { queries: [patient] });
  await granted(w);
  for (const host of ['gpu-b', 'gpu-c']) {
    await w.clock.runUntilTrue(() => w.offers.at(-1)!.alone && w.offers.length === (host === 'gpu-b' ? 2 : 3), 10_000);
    w.hostBeat(host, { incarnation: `${host}-1` });
    await w.clock.runFor(1);
    w.grant(w.offers.at(-1)!, host, 20);
  }
  await w.clock.runFor(5_000);
  t.is(w.offers.length, 3);
  t.like(w.results, [{ outcome: 'failed', trouble: { reason: 'poison' } }]);
});

test('poison: what a host says of its lost device counts as its death', async t => {
  const w = await world(t, { queries: [patient] });
  await w.router();
  w.hostBeat('gpu-a');
  w.hostBeat('gpu-b');
  await w.clock.runFor(1);
  w.frame('cam-1');
  await w.clock.runFor(1);
  for (const host of ['gpu-a', 'gpu-b']) {
    const offered = w.offers.at(-1)!;
    w.answer(offered, w.grant(offered, host, 20), { is: 'refused', reason: 'device-lost' }, { host });
    await w.clock.runFor(1);
  }
  t.like(w.results, [{ outcome: 'failed', trouble: { reason: 'poison' } }]);
});

test('poison: a host that leaves in order, or a bus that was away, accuses nobody', async t => {
  const w = await world(t, { queries: [patient] });
  await granted(w);
  w.hostBeat('gpu-a', { incarnation: 'gpu-a-1', state: 'left' });
  await w.clock.runFor(1);
  t.false(w.offers[1]!.alone);
});

const loss = fc.record({
  fate: fc.constantFrom<Fate>('alive', 'unclear', 'silent', 'died'),
  alone: fc.boolean(),
  certain: fc.boolean(),
});

test('poison: only what was alone on a host at its loss is condemned, and never for a host that lives', t => {
  fc.assert(
    fc.property(fc.array(loss, { maxLength: 4 }), said => {
      const losses = said.map(({ alone, certain }, i): Loss => {
        return { host: `h${i}`, incarnation: 'a', sinceMs: i, alone, certain };
      });
      const fates = said.map(({ fate, certain }) => (certain ? 'died' : fate));
      const verdict = judge(losses, ({ sinceMs }) => said[sinceMs]!.fate);
      const held = losses.filter((_, i) => fates[i] !== 'alive');
      t.is(verdict === 'innocent', held.length === 0);
      if (verdict !== 'poison') return;
      t.true(held.at(-1)!.alone);
      t.false(fates.includes('unclear'));
      t.true(held.length >= 3 || fates.filter(fate => fate === 'died').length === 2);
    }),
  );
});

test('wrong output: asked once of another host; wrong there as well, the model or the input is to blame', async t => {
  const w = await world(t, { queries: [patient] });
  await granted(w);
  const says = (i: number, host: string) =>
    w.answer(
      w.offers[i]!,
      w.grant(w.offers[i]!, host, 20),
      { is: 'refused', reason: 'wrong-output', detail: 'no scores' },
      { host },
    );
  says(0, 'gpu-a');
  await w.clock.runFor(1);
  t.like(w.offers[1], { alone: true, avoid: 'gpu-a' });
  says(1, 'gpu-b');
  await w.clock.runFor(1);
  t.like(w.results, [{ outcome: 'failed', trouble: { at: 'device', reason: 'model', retryable: false } }]);
  t.regex(w.results[0]!.trouble!.detail, /on gpu-a and on gpu-b: no scores/);
});
