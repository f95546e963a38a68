import test from 'ava';
import fc from 'fast-check';
import { searchGoodput } from '../../deploy/simulate/index.ts';

const cliff =
  (limitHz: number, fails: (hz: number) => boolean = () => false) =>
  async (factor: number) => {
    const offeredHz = 100 * factor;
    const badRate = offeredHz > limitHz || fails(offeredHz) ? 0.05 : 0.001;
    return { factor, offeredHz, goodHz: offeredHz * (1 - badRate), badRate, frames: 10_000 };
  };

test('search: the highest rate that is served is found to the precision that was asked for', async t => {
  await fc.assert(
    fc.asyncProperty(fc.double({ min: 1, max: 10_000, noNaN: true }), async limitHz => {
      const { best, precision, failed } = await searchGoodput(cliff(limitHz), { precision: 0.02 });
      t.true(best.offeredHz <= limitHz && best.offeredHz * (1 + precision) >= limitHz);
      t.true(precision <= 0.02);
      t.is(failed.length, 0);
    }),
  );
});

test('search: a policy that fails below the rate that it serves gets the rate below the failure', async t => {
  const { best, failed } = await searchGoodput(
    cliff(1000, hz => hz > 230 && hz < 300),
    { precision: 0.02 },
  );
  t.true(best.offeredHz <= 230 && best.offeredHz > 225, `${best.offeredHz}`);
  t.is(failed.length, 1);
  t.true(failed[0]!.offeredHz > 230 && failed[0]!.offeredHz < 300);
});

test('search: a start near the answer and small steps find it in few runs', async t => {
  const { best, trials } = await searchGoodput(cliff(1000), { precision: 0.01, start: 9.3, step: 1.05, lower: [0.5] });
  t.true(best.offeredHz <= 1000 && best.offeredHz > 985, `${best.offeredHz}`);
  t.true(trials.length <= 8, `${trials.length}`);
  const far = await searchGoodput(cliff(1000), { precision: 0.01, start: 100, step: 1.05 });
  t.true(far.best.offeredHz <= 1000 && far.best.offeredHz > 985, 'steps grow');
});

test('search: told to stay, it keeps the highest rate and names the lower one that failed', async t => {
  const { best, failed } = await searchGoodput(
    cliff(1000, hz => hz > 230 && hz < 300),
    { precision: 0.02, descend: false },
  );
  t.true(best.offeredHz > 970, `${best.offeredHz}`);
  t.is(failed.length, 1);
});

test('search: a lower rate that is worse by chance has not failed', async t => {
  const noisy = (frames: number) => async (factor: number) => {
    const offeredHz = 100 * factor;
    const badRate = offeredHz > 1000 ? 0.05 : offeredHz < 900 ? 0.013 : 0.009;
    return { factor, offeredHz, goodHz: offeredHz * (1 - badRate), badRate, frames };
  };
  const options = { precision: 0.02, start: 9.5, lower: [0.5], descend: false };
  t.is((await searchGoodput(noisy(1000), options)).failed.length, 0, '13 of 1000');
  t.is((await searchGoodput(noisy(100_000), options)).failed.length, 1, '1300 of 100,000');
});

test('search: where no rate is served, it says so', async t => {
  await t.throwsAsync(searchGoodput(cliff(0), { precision: 0.02 }), { message: /no rate is served/ });
  await t.throwsAsync(searchGoodput(cliff(Infinity), { precision: 0.02 }), { message: /are served/ });
});
