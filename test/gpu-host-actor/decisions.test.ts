import test from 'ava';
import fc from 'fast-check';
import { withinBytes } from '../../actors/gpu-host/answers.ts';
import { EarlyPayloads } from '../../actors/gpu-host/early.ts';
import { admit, NO_FENCE } from '../../actors/gpu-host/fence.ts';
import { account, estimate, shortage, type Claim } from '../../actors/gpu-host/memory.ts';
import { isReady, nextStep, type Waiting } from '../../actors/gpu-host/queue.ts';
import { encodedBytesMax } from '../../actors/gpu-host/size.ts';
import { encode } from '../../bus/index.ts';
import {
  hashOfCut,
  prefixId,
  suffixId,
  type Answers,
  type Cut,
  type Payloads,
  type Profile,
} from '../../contracts/index.ts';
import { DET } from './rig.ts';

const ms = (max: number) => fc.integer({ min: 0, max });
const waiting: fc.Arbitrary<Waiting> = fc.record({ latestMs: ms(200), expectedMs: ms(50), unsettled: ms(2) });
const queue = fc.array(waiting, { maxLength: 8 });

test('queue: what starts is ready, and nothing ready before it was able to', t => {
  fc.assert(
    fc.property(queue, ms(200), (batches, nowMs) => {
      const { start } = nextStep(batches, nowMs);
      if (start === undefined) return;
      t.true(isReady(batches[start]!, nowMs));
      for (const passed of batches.slice(0, start)) {
        if (!isReady(passed, nowMs)) continue;
        // Passed over although ready: it yields to an earlier one, after which it is still in time.
        const reason = batches.slice(0, batches.indexOf(passed)).find(earlier => {
          const carriedPast = nowMs + passed.expectedMs > earlier.latestMs;
          return !isReady(earlier, nowMs) && carriedPast && earlier.latestMs + earlier.expectedMs <= passed.latestMs;
        });
        t.truthy(reason);
      }
    }),
  );
});

test('queue: with nothing to start it says when to look again, and everything starts in the end', t => {
  fc.assert(
    fc.property(queue, batches => {
      const left = [...batches];
      let nowMs = 0;
      for (let steps = 0; left.length > 0; steps++) {
        if (steps > 100) t.fail('does not end');
        const { start, wakeMs } = nextStep(left, nowMs);
        if (start !== undefined) nowMs += left.splice(start, 1)[0]!.expectedMs;
        else {
          t.true(wakeMs !== undefined && wakeMs > nowMs, `sleeps at ${nowMs} until ${wakeMs}`);
          nowMs = wakeMs!;
        }
      }
    }),
  );
  t.pass();
});

test('queue: a ready batch waits for an earlier one only where that costs it nothing', t => {
  const earlier = { latestMs: 10, expectedMs: 20, unsettled: 1 };
  const ready = { latestMs: 100, expectedMs: 30, unsettled: 0 };
  t.deepEqual(nextStep([earlier, ready], 0), { start: undefined, wakeMs: 10 }, 'it would make the earlier one late');
  t.is(nextStep([earlier, { ...ready, latestMs: 29 }], 0).start, 1, 'it can not run after it in time');
  t.is(nextStep([earlier, { ...ready, expectedMs: 10 }], 0).start, 1, 'it is over before the latest start');
  t.is(nextStep([earlier, ready], 10).start, 0, 'the earlier one starts with what is there');
});

const claim: fc.Arbitrary<Claim> = fc.record({
  persistentBytes: fc.nat(1e9),
  ephemeralBytes: fc.nat(1e9),
  lane: fc.nat(3),
});

test('memory: ΣP + Σ_lanes max E, whatever the order; one more model never needs less', t => {
  fc.assert(
    fc.property(fc.array(claim, { maxLength: 10 }), claim, (claims, more) => {
      const { persistentBytes, ephemeralBytes } = account(claims);
      t.deepEqual(account(claims.toReversed()), { persistentBytes, ephemeralBytes });
      const lanes = [0, 1, 2, 3].map(lane => claims.filter(c => c.lane === lane).map(c => c.ephemeralBytes));
      t.is(
        ephemeralBytes,
        lanes.reduce((sum, bytes) => sum + Math.max(0, ...bytes), 0),
      );
      t.is(
        persistentBytes,
        claims.reduce((sum, c) => sum + c.persistentBytes, 0),
      );
      const grown = account([...claims, more]);
      t.true(grown.ephemeralBytes >= ephemeralBytes && grown.persistentBytes >= persistentBytes);
      const needed = grown.persistentBytes + grown.ephemeralBytes;
      t.is(shortage([...claims, more], needed), undefined, 'to the byte');
      if (needed > 0) t.is(typeof shortage([...claims, more], needed - 1), 'string');
    }),
    { numRuns: 50 },
  );
});

test('memory: estimated from the profile, else from the manifest, else from the size of the file', t => {
  const point = { meanMs: 1, stdMs: 0, p99Ms: 1, repeats: 3 };
  const profile: Profile = {
    v: 1,
    model: DET.id,
    device: 'cpu',
    emulated: false,
    points: [
      { ...point, batch: 1, ephemeralBytes: 100 },
      { ...point, batch: 4, ephemeralBytes: 250 },
    ],
    persistentBytes: 7000,
    loadMs: 1,
    preMs: 0,
    postMs: 0,
  };
  const of = (batchMax: number, emulated: boolean, measured?: Profile) =>
    estimate(DET.id, DET, measured, { batchMax, emulated });
  t.deepEqual(of(2, false, profile), { persistentBytes: 7000, ephemeralBytes: 250 }, 'the next measured batch');
  t.deepEqual(of(8, false, profile), { persistentBytes: 7000, ephemeralBytes: 500 }, 'beyond: in proportion');
  t.deepEqual(of(4, true), { persistentBytes: 100e6, ephemeralBytes: 40e6 });
  t.deepEqual(of(4, false), { persistentBytes: 1000, ephemeralBytes: 0 }, 'emulation says nothing of a real device');
  const given = { ...DET, document: { ...DET.document, ephemeralMB: { fixed: 5, perItem: 2 } } };
  t.is(estimate(given.id, given, undefined, { batchMax: 4, emulated: false }).ephemeralBytes, 13e6);

  const [one, skip] = ['a'.repeat(16), 'b'.repeat(16)];
  const through = (prefixBytes: number, ...tensors: string[]): Cut => ({
    cut: hashOfCut(tensors).slice(0, 12),
    emulated: false,
    prefixBytes,
    suffixBytes: 1000 - prefixBytes,
    computeShare: 0.5,
    tensors: tensors.map(tensor => ({ tensor })),
  });
  const cuttable = { ...DET, cuts: [through(300, skip), through(900, one), through(950, 'c'.repeat(16))] };
  const all = [one, skip, 'd'.repeat(16)];
  const partAt = (tensors: readonly string[], part: (cut: string) => string) =>
    estimate(part(hashOfCut(tensors).slice(0, 12)), cuttable, undefined, {
      batchMax: 1,
      emulated: false,
      tensors: all,
    });
  t.is(partAt([one], prefixId).persistentBytes, 900);
  t.is(
    partAt(all, prefixId).persistentBytes,
    900,
    'through more tensors than it needs: at its own deepest cut among them',
  );
  t.is(partAt(all, cut => suffixId(DET.id, cut)).persistentBytes, 100);
});

test('fence: epochs only grow, and one epoch has one leader', t => {
  const orders = fc.array(fc.record({ epoch: fc.nat(4), nonce: fc.constantFrom('a', 'b') }), { maxLength: 20 });
  fc.assert(
    fc.property(orders, sequence => {
      let fence = NO_FENCE;
      const leaderOf = new Map<number, string>();
      for (const order of sequence) {
        const next = admit(fence, order);
        const older = order.epoch < fence.epoch;
        t.is(next === undefined, older || (leaderOf.get(order.epoch) ?? order.nonce) !== order.nonce);
        if (next) leaderOf.set(next.epoch, next.nonce);
        fence = next ?? fence;
      }
    }),
    { numRuns: 50 },
  );
});

const plain = fc.anything({
  withNullPrototype: false,
  values: [
    fc.string({ unit: 'grapheme' }),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array(),
  ],
});

test('answers: the estimate of an encoded size is never too low', t => {
  fc.assert(fc.property(plain, value => t.true(encodedBytesMax(value) >= encode(value).byteLength)));
});

test('answers: split by size, each said once, in order, no message above the limit', t => {
  fc.assert(
    fc.property(fc.array(fc.nat(2500), { maxLength: 40 }), sizes => {
      const whole: Answers = {
        v: 1,
        host: 'gpu-a',
        batch: 'b',
        emulated: false,
        size: 9,
        runMs: 1.5,
        sinceRunMs: 0.5,
        model: sizes.map(() => DET.id),
        ids: sizes.map((_, id) => id),
        answers: sizes.map(bytes => ({ is: 'output', output: { kind: 'custom', value: new Uint8Array(bytes) } })),
        transferMs: sizes.map(() => 1.25),
        waitMs: sizes.map(() => 2.5),
      };
      const messages = withinBytes(whole, 2048);
      for (const message of messages) t.true(encode(message).byteLength <= 2048);
      t.deepEqual(
        messages.flatMap(({ ids }) => ids),
        whole.ids,
      );
      for (const { ids, answers } of messages)
        for (const [i, id] of ids.entries()) {
          if (sizes[id]! > 1900) t.is(answers[i]!.is, 'failed');
          if (sizes[id]! < 1500) t.is(answers[i]!.is, 'output');
        }
    }),
    { numRuns: 50 },
  );
});

test('early payloads: bounded in bytes, copied, returned in order, expired with their batch', t => {
  const early = new EarlyPayloads({ holdMs: 100, bytesMax: 10 });
  const data = Uint8Array.of(1, 2, 3);
  const message = (batch: string, id: number): Payloads => ({
    v: 1,
    router: 'r',
    batch,
    ids: [id],
    payloads: [{ encoding: 'jpeg', data }],
    absent: [],
  });
  t.true(early.hold(message('a', 1), 4, 0));
  t.true(early.hold(message('b', 2), 4, 10));
  t.false(early.hold(message('a', 3), 4, 20), 'full');
  t.true(early.hold(message('a', 4), 2, 20));
  t.is(early.expiryMs, 100);
  data.fill(9);
  const taken = early.take('a');
  t.deepEqual(
    taken.map(m => m.ids[0]),
    [1, 4],
  );
  t.deepEqual(taken[0]!.payloads[0], { encoding: 'jpeg', data: Uint8Array.of(1, 2, 3) });
  t.deepEqual(early.expire(109), []);
  t.deepEqual(
    early.expire(110).map(m => m.batch),
    ['b'],
  );
  t.is(early.bytes, 0);
  t.is(early.expiryMs, undefined);
});
