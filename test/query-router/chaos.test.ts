import test from 'ava';
import fc from 'fast-check';
import { intBetween, seededRandom, type Answer } from '../../contracts/index.ts';
import { boxes, looking, reading, text, world, type Offered } from './world.ts';

const FRAMES = 40;

test('router: batchers, hosts and links that lose, repeat, refuse and fail: each frame has exactly one result', async t => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), async seed => {
      const random = seededRandom(seed);
      const chance = (share: number): boolean => random.next() < share;
      const w = await world(t, { queries: [looking, reading] });
      const { clock, network, offers, sent, results } = w;
      const running = await w.router('router-1', { heldBytesMax: 2000 });
      network.link = ({ subject }) => {
        if (/frames|results/.test(subject)) return [1];
        if (chance(0.1)) return [];
        return chance(0.1) ? [1, intBetween(random, 1, 60)] : [intBetween(random, 1, 5)];
      };
      const said = (): Answer => {
        if (chance(0.1)) return { is: 'refused', reason: 'overloaded' };
        if (chance(0.05)) return { is: 'dropped', reason: 'deadline' };
        if (chance(0.05)) return { is: 'failed', reason: 'model', detail: 'broken' };
        return { is: 'output', output: chance(0.2) ? text('x') : boxes([0, 0, 4, 4, 1], [5, 5, 4, 4, 0.5]) };
      };
      const byId = new Map<number, Offered>();
      const serve = (): void => {
        for (const offer of offers.splice(0)) {
          byId.set(offer.id, offer);
          if (chance(0.1)) w.refuse(offer);
          else if (chance(0.05)) w.drop(offer, ['deadline', 'budget', 'no-capacity'][intBetween(random, 0, 2)]);
          else if (chance(0.9)) w.grant(offer, `gpu-${intBetween(random, 1, 3)}`, intBetween(random, 5, 50));
        }
        for (const { ids, batch, host } of sent.splice(0))
          for (const id of ids)
            if (chance(0.9))
              clock.after(intBetween(random, 1, 120), () => w.answer(byId.get(id)!, batch, said(), { host }));
      };
      for (let seq = 0; seq < FRAMES; seq++) {
        w.frame('cam-1', { seq });
        await clock.runFor(10);
        serve();
      }
      for (let i = 0; i < 200; i++) {
        await clock.runFor(10);
        serve();
      }
      running.kill();
      const ends = results.map(({ query, seq }) => `${query} ${seq}`);
      t.is(ends.length, 2 * FRAMES, `seed ${seed}`);
      t.is(new Set(ends).size, 2 * FRAMES, `seed ${seed}`);
      t.is(running.state.inFlight, 0, `seed ${seed}`);
      t.is(running.state.heldBytes, 0, `seed ${seed}`);
    }),
    { numRuns: 15 },
  );
});
