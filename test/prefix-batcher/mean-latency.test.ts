import test from 'ava';
import { Host } from '../../actors/prefix-batcher/host.ts';
import { MeanLatency } from '../../actors/prefix-batcher/mean-latency.ts';
import { curveOf, Fit, Lead } from '../../actors/prefix-batcher/policy/index.ts';
import { Seat } from '../../actors/prefix-batcher/seat.ts';

function seatOn(host: string): Seat {
  const lead = new Lead({ ways: { transitMs: 0 }, fixedMs: 0, bytesPerMs: 1, perItemMs: 0, maxMs: 1 });
  const points = [1, 8].map(batch => ({ batch, meanMs: 5 * batch, stdMs: 0, p99Ms: 0, ephemeralBytes: 0, repeats: 1 }));
  const usual = { bytesPerItem: 0, budgetMs: Infinity };
  const facts = { host: new Host(host), model: 'm', curve: curveOf({ points }, 8), marginMsMin: 1, usual };
  return new Seat({ ...facts, lessons: { fit: new Fit(), lead } });
}

test('mean latency: it is that of the seats now, whatever was learned since it was last asked for', t => {
  const [one, other] = [seatOn('a'), seatOn('b')];
  const latency = new MeanLatency();
  const mean = (batch: number): number => (one.latencyMs(batch) + other.latencyMs(batch)) / 2;
  t.is(latency.over([one, other], 8)(4), mean(4));
  for (const runMs of [30, 20, 20, 26]) {
    other.lessons.fit.observe(20, runMs);
    const now = latency.over([one, other], 8);
    for (const batch of [1, 4, 8]) t.is(now(batch), mean(batch));
  }
  other.lessons.fit.relax();
  other.lessons.fit.relax();
  t.is(latency.over([one, other], 8)(4), mean(4));
  t.is(latency.over([other], 8)(4), other.latencyMs(4));
});
