import test from 'ava';
import fc from 'fast-check';
import { pooled } from '../../allocator/index.ts';
import { costView } from '../../deploy/plan/costs.ts';
import { anyWorkload } from '../capacity/world.ts';

const isClose = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * Math.max(1, a, b);

test('costs: what sessions pay is what the plan costs, and nobody is given a device for nothing (property)', t => {
  fc.assert(
    fc.property(anyWorkload({ prefixes: true, sessions: { max: 8, rateMaxHz: 2000 } }), given => {
      const plan = pooled(given);
      const { sessions, sharedPerHour, dedicatedPerHour, saving } = costView(plan, given, pooled);
      const sum = sessions.reduce((total, one) => total + one.sharedPerHour, 0);
      if (!isClose(sum, plan.costPerHour)) throw new Error(`sessions pay ${sum}, the plan costs ${plan.costPerHour}`);
      for (const one of sessions) {
        if (!(one.sharedPerHour >= 0)) throw new Error(`${one.session} pays ${one.sharedPerHour}`);
        if (one.rateHz > 0 && !isClose(one.sharedPerMillion * one.rateHz * 0.0036, one.sharedPerHour)) {
          throw new Error(`${one.session}: ${one.sharedPerMillion} a million, ${one.sharedPerHour} an hour`);
        }
        const cheapest = Math.min(...given.devices.map(device => device.pricePerHour));
        if (one.dedicatedPerHour !== undefined && one.dedicatedPerHour < cheapest - 1e-9) {
          throw new Error(`${one.session}: ${one.dedicatedPerHour} an hour for devices of its own`);
        }
      }
      if (dedicatedPerHour > 0 && !isClose(saving, 1 - sharedPerHour / dedicatedPerHour)) throw new Error(`${saving}`);
      const served = new Set(plan.hosts.flatMap(host => host.sessions.map(s => s.name)));
      if (served.size !== sessions.length) throw new Error(`${served.size} are served, ${sessions.length} pay`);
    }),
    { numRuns: 40 },
  );
  t.pass();
});
