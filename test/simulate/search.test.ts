import test from 'ava';
import fc from 'fast-check';
import { searchGoodput } from '../../deploy/simulate/index.ts';

const cliff =
  (limitHz: number, fails: (hz: number) => boolean = () => false) =>
  async (factor: number) => {
    const offeredHz = 100 * factor;
    const badRate = offeredHz > limitHz || fails(offeredHz) ? 0.05 : 0.001;
    return { factor, offeredHz, goodHz: offeredHz * (1 - badRate), badRate };
  };

test('search: the highest rate that is served is found to the precision that was asked for', async t => {
  await fc.assert(
    fc.asyncProperty(fc.double({ min: 1, max: 10_000, noNaN: true }), async limitHz => {
      const { best, precision, failed } = await searchGoodput(cliff(limitHz), 0.02);
      t.true(best.offeredHz <= limitHz && best.offeredHz * (1 + precision) >= limitHz);
      t.true(precision <= 0.02);
      t.is(failed.length, 0);
    }),
  );
});

test('search: a policy that fails below the rate that it serves gets the rate below the failure', async t => {
  const { best, failed } = await searchGoodput(
    cliff(1000, hz => hz > 230 && hz < 300),
    0.02,
  );
  t.true(best.offeredHz <= 230 && best.offeredHz > 225, `${best.offeredHz}`);
  t.is(failed.length, 1);
  t.true(failed[0]!.offeredHz > 230 && failed[0]!.offeredHz < 300);
});

test('search: where no rate is served, it says so', async t => {
  await t.throwsAsync(searchGoodput(cliff(0), 0.02), { message: /no rate is served/ });
  await t.throwsAsync(searchGoodput(cliff(Infinity), 0.02), { message: /are served/ });
});
