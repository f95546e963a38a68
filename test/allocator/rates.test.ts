import test from 'ava';
import fc from 'fast-check';
import { Falls, RateBook } from '../../allocator/index.ts';
import { exponential, normal, seededRandom, type Random, type RouterBeat } from '../../contracts/index.ts';

const KEY = { tenant: 'default', query: 'q', stage: 's' };
const beat = (rateHz: number, { fanout = 1, ended = 0, dropped = 0 } = {}): RouterBeat => ({
  v: 1,
  epoch: 1,
  inFlight: 0,
  heldBytes: 0,
  queries: [
    {
      tenant: KEY.tenant,
      query: KEY.query,
      accepted: ended,
      ok: ended - dropped,
      late: 0,
      dropped,
      failed: 0,
      rejected: 0,
      p50Ms: 0,
      p99Ms: 0,
    },
  ],
  duplicates: 0,
  reoffers: 0,
  intervalMs: 1000,
  rssBytes: 0,
  loopDelayP99Ms: 0,
  stages: [{ ...KEY, rateHz, fanout, count: Math.round(rateHz) }],
});

/** A book and its second; each router beats once a second. */
class Story {
  readonly book = new RateBook({ averageMs: 10_000, enoughMs: 10_000 });
  second = 0;

  hear(...heard: (number | RouterBeat)[]): void {
    this.second++;
    heard.forEach((one, i) => this.book.hear(`r${i}`, typeof one === 'number' ? beat(one) : one, this.second * 1000));
  }
  hold(seconds: number, ...heard: (number | RouterBeat)[]): void {
    for (let i = 0; i < seconds; i++) this.hear(...heard);
  }
  outgrown(plannedHz: number): number | undefined {
    return this.book.outgrown(KEY, plannedHz, this.second * 1000);
  }
}

test('rates: unknown until there is enough data, unbiased then, summed over routers', t => {
  const { book } = new Story();
  for (let i = 0; i < 9; i++) book.hear('r1', beat(30), 0);
  t.is(book.rateHz(KEY), undefined);
  book.hear('r1', beat(30), 0);
  t.is(Math.round(book.rateHz(KEY)!), 30);
  for (let i = 0; i < 60; i++)
    for (const [router, rateHz] of [
      ['r1', 30],
      ['r2', 12],
    ] as const)
      book.hear(router, beat(rateHz), 0);
  t.is(Math.round(book.rateHz(KEY)!), 42);
  book.forget('r1');
  for (let i = 0; i < 10; i++) book.hear('r2', beat(12), 0);
  t.is(Math.round(book.rateHz(KEY)!), 12);
});

test('rates: silence before the first frame is no measurement, silence after it is', t => {
  const story = new Story();
  story.hold(60, 0);
  t.is(story.book.rateHz(KEY), undefined);
  story.hold(20, 20);
  t.is(Math.round(story.book.rateHz(KEY)!), 20);
  story.hold(60, 0);
  t.true(story.book.rateHz(KEY)! < 0.2);
});

test('rates: up sooner than down, and never for what may be chance', t => {
  const settled = (rateHz: number): Story => {
    const story = new Story();
    story.hold(300, rateHz);
    return story;
  };
  t.is(settled(1090).outgrown(1000), undefined);
  t.is(Math.round(settled(1150).outgrown(1000)!), 1150);
  t.is(settled(750).outgrown(1000), undefined);
  t.is(Math.round(settled(650).outgrown(1000)!), 650);
  // Two requests a second by chance three: no reason to move models.
  t.is(settled(2.5).outgrown(2), undefined);
  t.is(Math.round(settled(6).outgrown(2)!), 6);
});

for (const factor of [1.5, 2, 4])
  test(`rates: a surge of ${factor} × is seen in full within three beats (300 a second)`, t => {
    for (let seed = 1; seed <= 20; seed++) {
      const [random, story] = [seededRandom(seed), new Story()];
      const plannedHz = 1.1 * 300;
      for (let i = 0; i < 120; i++) story.hear(poisson(random, 300));
      t.is(story.outgrown(plannedHz), undefined);
      // It begins within the first beat.
      const part = random.next();
      story.hear(poisson(random, 300 * (1 + (factor - 1) * part)));
      let seen: number | undefined;
      for (let beats = 1; beats <= 3 && seen === undefined; beats++) {
        seen = story.outgrown(plannedHz);
        if (seen === undefined) story.hear(poisson(random, 300 * factor));
      }
      t.true(seen !== undefined, `seed ${seed}: not seen`);
      t.true(Math.abs(seen! / (300 * factor) - 1) < 0.25, `seed ${seed}: ${seen} of ${300 * factor}`);
    }
  });

test('rates: averages that have yet to follow are no fall after a surge was planned for, and no rise after its end', t => {
  const story = new Story();
  story.hold(120, 300);
  for (let i = 0; i < 40; i++) {
    story.hear(1200);
    if (i >= 3) t.is(story.outgrown(1.1 * 1200), undefined, `${i} s after`);
  }
  story.hold(80, 1200);
  story.hold(40, 300);
  t.true(story.outgrown(1.1 * 1200)! < 400);
  for (let i = 0; i < 120; i++) {
    story.hear(300);
    t.is(story.outgrown(1.2 * 300), undefined, `${i} s after the fall was planned for`);
  }
});

test('rates: streams that go over to another router are no surge', t => {
  const story = new Story();
  story.hold(120, 300, 300);
  for (let i = 0; i < 3; i++) {
    // The first one is silent, and not known to be gone.
    story.second++;
    story.book.hear('r1', beat(600), story.second * 1000);
    if (i > 0) t.is(story.outgrown(660), undefined, `${i} s after`);
  }
  story.book.forget('r0');
  t.is(story.outgrown(660), undefined, 'forgotten');
  for (let i = 0; i < 20; i++) {
    story.hear(300, 300);
    t.is(story.outgrown(660), undefined, `back for ${i} s`);
  }
});

test('rates: where requests are dropped, the room that was planned must still be there', t => {
  const busy = (dropped: number): Story => {
    const story = new Story();
    for (let i = 1; i <= 60; i++) story.hear(beat(105, { ended: 100 * i, dropped: dropped * i }));
    return story;
  };
  t.is(busy(0).outgrown(100), undefined);
  t.is(Math.round(busy(5).outgrown(100)!), 105);
  t.is(busy(5).outgrown(110), undefined);
  const served = busy(5);
  served.hear(beat(105, { ended: 6100, dropped: 300 }));
  t.is(served.outgrown(100), undefined, 'nothing was dropped in the latest beat');
});

test('rates: chance alone asks for no plan in an hour (property)', t => {
  const facts = fc.record({
    seed: fc.nat(),
    rateHz: fc.double({ min: -1, max: 3, noNaN: true }).map(exponent => 10 ** exponent),
    // Objects come by frame, so many at once or about so many.
    clump: fc.constantFrom('none', 'fixed', 'poisson'),
    fanout: fc.constantFrom(1, 2, 5),
    routers: fc.constantFrom(1, 3),
  });
  fc.assert(
    fc.property(facts, ({ seed, rateHz, clump, fanout, routers }) => {
      const [random, story] = [seededRandom(seed), new Story()];
      const each = (): RouterBeat => {
        if (clump === 'none') return beat(poisson(random, rateHz / routers));
        const frames = poisson(random, rateHz / routers / fanout);
        return beat(clump === 'fixed' ? frames * fanout : poisson(random, frames * fanout), { fanout });
      };
      for (let s = 0; s < 3600; s++) {
        story.hear(...Array.from({ length: routers }, each));
        const seen = story.outgrown(rateHz);
        if (seen !== undefined) throw new Error(`${seen} Hz at ${s} s`);
      }
    }),
    { numRuns: 25, seed: 1 },
  );
  t.pass();
});

test('rates: bursts of 4 × do not cause a stream of plans', t => {
  for (const [burstS, everyS] of [
    [0.1, 1],
    [2, 10],
    [5, 20],
    [10, 60],
  ] as const) {
    const [random, story, falls] = [seededRandom(1), new Story(), new Falls()];
    let [plannedHz, plannedAtS, plans] = [100 * (1 + (3 * burstS) / everyS), 0, 0];
    let [inBurst, changesAtS] = [false, 0];
    for (let s = 0; s < 3600; s++) {
      let meanHz = 0;
      for (let atS = s; atS < s + 1; ) {
        if (atS >= changesAtS) {
          inBurst = !inBurst;
          changesAtS = atS + exponential(random, inBurst ? burstS : everyS - burstS);
        }
        const untilS = Math.min(changesAtS, s + 1);
        meanHz += (untilS - atS) * (inBurst ? 400 : 100);
        atS = untilS;
      }
      story.hear(poisson(random, meanHz));
      const [seen, nowMs] = [story.outgrown(plannedHz), 1000 * s];
      const isLow = seen !== undefined && seen < plannedHz;
      const waits = isLow && !falls.low('s', nowMs);
      if (!isLow) falls.used('s');
      if (seen === undefined || waits || s - plannedAtS < 10) continue;
      falls.planned(new Map([['s', plannedHz]]), new Map([['s', 1.1 * seen]]), nowMs);
      [plannedHz, plannedAtS] = [1.1 * seen, s];
      plans++;
    }
    t.log(`${burstS} s every ${everyS} s: ${plans} plans in an hour`);
    t.true(plans <= 20, `${burstS} s every ${everyS} s: ${plans} plans`);
  }
});

/** A Poisson variable: by inversion, or for large means nearly so. */
function poisson(random: Random, mean: number): number {
  if (mean > 200) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  let [count, share] = [0, Math.exp(-mean)];
  for (let left = random.next(); left > share && count < 1000; left -= share, share *= mean / ++count);
  return count;
}
