import test from 'ava';
import { Host } from '../../actors/prefix-batcher/host.ts';
import { curveOf, Fit, Lead } from '../../actors/prefix-batcher/policy/index.ts';
import { Seat } from '../../actors/prefix-batcher/seat.ts';

/** A seat whose payloads once took very long to arrive. */
function seatAfterAStall(budgetMs = Infinity): Seat {
  const lead = new Lead({ ways: { transitMs: 1 }, fixedMs: 1, bytesPerMs: 200_000, perItemMs: 0.1, maxMs: 50 });
  for (let i = 0; i < 20; i++) lead.observe(8, 240_000, 2_000);
  const points = [{ batch: 1, meanMs: 5, stdMs: 0, p99Ms: 5, ephemeralBytes: 0, repeats: 1 }];
  return new Seat({
    host: new Host('gpu-a'),
    model: 'm',
    curve: curveOf({ points }, 8),
    lessons: { fit: new Fit(), lead },
    marginMsMin: 1,
    usual: { bytesPerItem: 30_000, budgetMs },
  });
}

test('seat: however long payloads once took, the lead leaves two thirds of the budget', t => {
  t.is(seatAfterAStall().leadMs(8), 50, 'learned: as long as it may be at all');
  t.is(seatAfterAStall(60).leadMs(8), 20);
  const seat = seatAfterAStall(50);
  t.true(seat.leadMs(1) + seat.latencyMs(1) < 50, 'so an invocation never looks hopeless for the lead alone');
});
