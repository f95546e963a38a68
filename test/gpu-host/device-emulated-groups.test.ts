import test from 'ava';
import fc from 'fast-check';
import { VirtualClock } from '../../bus/clocks/index.ts';
import {
  ModelError,
  prefixId,
  seededRandom,
  suffixId,
  type ModelDocument,
  type Payload,
} from '../../contracts/index.ts';
import {
  declaredCut,
  measureProfile,
  openEmulatedDevice,
  withoutOverlap,
  type ModelFiles,
} from '../../gpu-host/index.ts';

/** ℓ(b) = 2b + 10, of which 1.5b + 9 and 90 of 100 MB are the trunk's. */
const variant = (name: string, change: Partial<ModelDocument['emulation'] & object> = {}): ModelDocument => ({
  kind: 'Model',
  name,
  version: '1',
  file: 'none.onnx',
  licence: 'none',
  source: 'made up',
  preprocess: { kind: 'picture', width: 64, height: 64, fit: 'stretch' },
  postprocess: { kind: 'ctc', keys: 'keys.txt' },
  batchMax: 16,
  emulation: {
    alphaMs: 2,
    betaMs: 10,
    persistentMB: 100,
    ephemeralMBPerItem: 4,
    loadMs: 100,
    prefix: { name: 'trunk', alphaMs: 1.5, betaMs: 9, persistentMB: 90 },
    ...change,
  },
});
const filesOf = (document: ModelDocument): ModelFiles => ({
  id: `${document.name}@${'0'.repeat(12)}`,
  document,
  read: () => Promise.reject(new Error('an emulated device reads no file')),
});
const [score, clock_] = [filesOf(variant('score')), filesOf(variant('clock'))];
const { cut } = declaredCut(score.document)!;
const picture: Payload = { encoding: 'rgb', width: 2, height: 2, data: new Uint8Array(12) };

async function opened(change: typeof withoutOverlap = device => device) {
  const clock = new VirtualClock();
  const device = change(openEmulatedDevice({ kind: 'emulated', seed: 7 }, { clock, random: seededRandom(1) }), clock);
  const prefix = await clock.settle(device.loadPrefix(score, { cut, batchMax: 16 }), 1000);
  const load = async (model: ModelFiles) => clock.settle(prefix.loadSuffix(model, { batchMax: 16 }), 1000);
  return { clock, device, prefix, score: await load(score), clock_: await load(clock_), load };
}

test('emulated groups: variants that declare one prefix have one cut; another figure is another prefix', t => {
  t.is(declaredCut(clock_.document)!.cut, cut);
  const other = variant('other', { prefix: { name: 'trunk', alphaMs: 1.5, betaMs: 9, persistentMB: 91 } });
  t.not(declaredCut(other)!.cut, cut);
  t.like(declaredCut(score.document), { prefixBytes: 90e6, suffixBytes: 10e6, computeShare: 33 / 42 });
});

test('emulated groups: a mixed batch takes ℓ_prefix(Σb) + Σ ℓ_suffix(b), memory is taken once', async t => {
  const { clock, prefix, score, clock_ } = await opened();
  t.deepEqual([prefix.persistentBytes, score.persistentBytes, score.wholeBytes], [90e6, 10e6, 100e6]);
  const inputs = async (model: typeof score, count: number) =>
    Promise.all(Array.from({ length: count }, async () => model.prepare(picture)));
  const members = [
    { suffix: score.id, inputs: await inputs(score, 3) },
    { suffix: clock_.id, inputs: await inputs(clock_, 2) },
  ];
  const before = clock.nowMs();
  const ran = await clock.settle(prefix.runMixed(members));
  t.is(clock.nowMs() - before, 16.5 + 2.5 + 2);
  t.is(ran.runMs, 21);
  t.like(ran.members, [{ runMs: 2.5, prefixMs: 16.5 }, { runMs: 2 }] as never);
  t.deepEqual(
    ran.members.map(member => (member instanceof Error ? 0 : member.outputs.length)),
    [3, 2],
  );
  t.is(
    (await clock.settle(Promise.resolve(score.run(members[0]!.inputs)))).prefixMs,
    13.5,
    'alone it runs behind its prefix, too',
  );
});

test('emulated groups: parts together are the whole model, at any batch', async t => {
  const { clock, device, prefix, score } = await opened();
  const whole = await clock.settle(device.load(filesOf(variant('score')), { batchMax: 16 }), 1000);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 16 }), async batch => {
      const input = await whole.prepare(picture);
      const { runMs } = await clock.settle(Promise.resolve(whole.run(Array.from({ length: batch }, () => input))));
      const own = await score.prepare(picture);
      const inputs = Array.from({ length: batch }, () => own);
      const mixed = await clock.settle(prefix.runMixed([{ suffix: score.id, inputs }]));
      t.true(Math.abs(mixed.runMs - runMs) < 1e-9);
    }),
    { numRuns: 20 },
  );
  t.is(prefix.persistentBytes + score.persistentBytes, whole.persistentBytes);
});

test('emulated groups: what is not behind the prefix, or too much for it, is refused', async t => {
  const { clock, device, prefix, score, clock_, load } = await opened();
  const input = await score.prepare(picture);
  const many = Array.from({ length: 9 }, () => input);
  const foreign = await t.throwsAsync(prefix.runMixed([{ suffix: clock_.id, inputs: [input] }]), {
    instanceOf: ModelError,
  });
  t.regex(foreign.message, /prepared for score/);
  const others = await Promise.all(Array.from({ length: 9 }, async () => clock_.prepare(picture)));
  const tooMany = [
    { suffix: score.id, inputs: many },
    { suffix: clock_.id, inputs: others },
  ];
  await t.throwsAsync(prefix.runMixed(tooMany), { message: /a batch of 18 is outside 1\.\.16/ });
  const { prefix: _, ...without } = variant('plain').emulation!;
  const plain = filesOf({ ...variant('plain'), emulation: without });
  await t.throwsAsync(load(plain), { message: /knows no cut/ });
  await t.throwsAsync(clock.settle(device.loadPrefix(plain, { cut, batchMax: 1 })), { message: /knows no cut/ });
  await clock.settle(score.release());
  await t.throwsAsync(prefix.runMixed([{ suffix: score.id, inputs: [input] }]), { message: /not loaded behind/ });
});

test('emulated groups: parts are measured each by itself', async t => {
  const { clock, device, prefix, score } = await opened();
  const of = async (model: typeof score | typeof prefix) => {
    const measuring = measureProfile(device, model, { batchMax: 4, clock, seconds: 1 });
    return clock.settle(measuring, 100_000);
  };
  const [trunk, head] = [await of(prefix), await of(score)];
  t.is(trunk.model, prefixId(cut));
  t.is(head.model, suffixId(score.id.split('/')[0]!, cut));
  t.deepEqual(
    trunk.points.map(point => point.meanMs),
    [10.5, 12, 13.5, 15],
  );
  t.deepEqual(
    head.points.map(point => point.meanMs),
    [1.5, 2, 2.5, 3],
  );
  t.true(head.postMs < 1e-6, 'the time of the prefix is not taken for postprocessing');
});

test('emulated groups: an input that can not be prepared fails alone (without overlap)', async t => {
  const { clock, prefix, score, clock_ } = await opened(withoutOverlap);
  const broken: Payload = { ...picture, data: new Uint8Array(5) };
  const { members } = await clock.settle(
    prefix.runMixed([
      { suffix: score.id, inputs: [await score.prepare(broken), await score.prepare(picture)] },
      { suffix: clock_.id, inputs: [await clock_.prepare(broken)] },
    ]),
  );
  const kinds = members.map(member =>
    member instanceof Error
      ? 'Error'
      : member.outputs.map(output => (output instanceof Error ? output.name : output.kind)),
  );
  t.deepEqual(kinds, [['InputError', 'text'], ['InputError']]);
});
