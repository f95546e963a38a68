import test from 'ava';
import { imaging } from '../../gpu-host/index.ts';
import { InputError, type QueryDocument, type Timing } from '../../contracts/index.ts';
import sharp from 'sharp';
import { boxes, JPEG, looking, plainImaging, planFor, reading, text, world } from './world.ts';

const sum = (timing: Timing): number => Object.values(timing).reduce((a, b) => a + b, 0);

test('router: a frame is offered, granted, sent, answered, and ends ok with its time accounted for', async t => {
  const { clock, router, frame, offers, sent, results, grant, answer } = await world(t);
  const { state } = await router();
  frame('cam-1', { seq: 42, ageMs: 30, meta: { camera: 'north' } });
  await clock.runFor(1);
  t.like(offers, [{ pool: 'pool-0', session: 'default/looker/200', budgetMs: 170, bytes: JPEG.length }]);
  t.is(state.heldBytes, JPEG.length);
  await clock.runFor(9);
  const batch = grant(offers[0]!);
  await clock.runFor(20);
  t.like(sent, [{ host: 'gpu-a', batch, ids: [offers[0]!.id], absent: [] }]);
  t.deepEqual(sent[0]!.payloads, [{ encoding: 'jpeg', data: JPEG }]);
  answer(offers[0]!, batch, text('hello'), { emulated: true });
  await clock.runFor(1);
  t.is(results.length, 1);
  const result = results[0]!;
  t.like(result, { outcome: 'ok', query: 'look', stream: 'cam-1', seq: 42, latencyMs: 60, emulated: true });
  t.like(result, { epoch: 1, objectiveMs: 200, router: 'router-1', meta: { camera: 'north' } });
  t.deepEqual(result.stages['look']![0]!.output, text('hello'));
  t.deepEqual(result.timing, { routeMs: 0, scheduleMs: 10, transferMs: 2, waitMs: 1, runMs: 5, returnMs: 12 });
  t.is(sum(result.timing!), result.latencyMs - 30);
  t.is(state.heldBytes, 0);
  t.is(state.inFlight, 0);
});

test("router: stages feed each other, and what the first leaves over is the next one's", async t => {
  const { imaging, asked } = plainImaging();
  const { clock, router, frame, offers, sent, results, grant, answer } = await world(t, {
    imaging,
    queries: [reading],
  });
  const { state } = await router();
  frame('cam-1');
  await clock.runFor(10);
  t.is(offers[0]!.budgetMs, 200, 'half of 400 ms is reserved for the second stage');
  answer(
    offers[0]!,
    grant(offers[0]!),
    boxes([1, 2, 10, 4, 0.5], [50, 2, 10, 4, 0.9], [3, 3, 4, 4, 0.1], [9, 9, 4, 4, 0.8]),
  );
  await clock.runFor(1);
  const second = offers.slice(1);
  t.is(second.length, 3, 'no more than fanoutMax');
  t.deepEqual(
    asked[0]!.map(({ x }) => x),
    [50, 9, 1],
    'best first',
  );
  t.true(
    second.every(({ budgetMs }) => budgetMs === 390),
    '400 ms less the 10 that have gone',
  );
  const batch = grant(second);
  await clock.runFor(1);
  t.is(sent.length, 2);
  t.deepEqual(
    sent[1]!.payloads.map(p => p.encoding !== 'tensors' && p.data[0]),
    [50, 9, 1],
  );
  t.is(state.heldBytes, JPEG.length + 3 * (40 + 16 + 40));
  for (const offer of second.toReversed()) answer(offer, batch, text(`${offer.id}`));
  await clock.runFor(1);
  t.is(results[0]!.outcome, 'ok');
  t.deepEqual(
    results[0]!.stages['read']!.map(({ parent, item }) => [parent, item]),
    [
      [0, 0],
      [0, 3],
      [0, 1],
    ],
  );
  t.true(Math.abs(sum(results[0]!.timing!) - results[0]!.latencyMs) < 1e-6);
  t.is(state.heldBytes, 0);
});

test('router: a detector that finds nothing ends the request ok, without results of the stages behind it', async t => {
  const { clock, router, frame, offers, results, grant, answer } = await world(t, { queries: [reading] });
  await router();
  frame('cam-1');
  await clock.runFor(1);
  answer(offers[0]!, grant(offers[0]!), boxes());
  await clock.runFor(1);
  t.like(results[0], { outcome: 'ok', stages: { read: [] } });
  t.is(offers.length, 1);
});

const deep: QueryDocument = {
  kind: 'Query',
  name: 'deep',
  objectiveMs: 1000,
  streams: ['cam-1'],
  stages: {
    last: { model: 'c', from: 'face' },
    car: { model: 'a' },
    face: { model: 'b', from: 'car', labels: ['car'], scoreMin: 0.5, pad: 0.5 },
    colour: { model: 'd', from: 'car', whole: true },
  },
};

test('router: stages on several levels get what their labels, scores and pads ask for, in pixels of the frame', async t => {
  const { imaging, asked } = plainImaging();
  const { clock, router, frame, offers, sent, results, grant, answer } = await world(t, { imaging, queries: [deep] });
  await router();
  frame('cam-1');
  await clock.runFor(1);
  const found = [
    { x: 100, y: 100, width: 40, height: 20, score: 0.9, label: 'car' },
    { x: 0, y: 0, width: 40, height: 20, score: 0.4, label: 'car' },
    { x: 0, y: 0, width: 40, height: 20, score: 0.9, label: 'bird' },
  ];
  answer(offers[0]!, grant(offers[0]!), { kind: 'boxes', boxes: found });
  await clock.runFor(1);
  t.deepEqual(asked, [[{ x: 90, y: 90, width: 60, height: 40 }]], 'padded by half of its smaller side');
  const byModel = (model: string) => offers.filter(({ session }) => session.includes(`/${model}/`));
  const [face] = byModel('b');
  const [colour] = byModel('d');
  answer(face!, grant(face!), boxes([5, 6, 10, 10, 1]));
  answer(colour!, grant(colour!), text('red'));
  await clock.runFor(1);
  t.deepEqual(sent.find(({ ids }) => ids[0] === colour!.id)!.payloads[0], sent[0]!.payloads[0], 'the whole frame');
  t.deepEqual(asked[1], [{ x: 95, y: 96, width: 10, height: 10 }]);
  const [last] = byModel('c');
  answer(last!, grant(last!), text('done'));
  await clock.runFor(1);
  const { stages, outcome } = results[0]!;
  t.is(outcome, 'ok');
  t.deepEqual(stages['face']![0]!.output, boxes([95, 96, 10, 10, 1]), 'boxes in a crop are mapped back to the frame');
  t.like(stages['last']![0], { from: 'face', parent: 0, item: 0 });
  t.is(stages['colour']!.length, 1);
});

test('router: stages with regions take the boxes whose middle lies there; what lies nowhere is not cut out', async t => {
  const left = { x: 0, y: 0, width: 0.25, height: 1 };
  const right = { x: 0.75, y: 0, width: 0.25, height: 0.5 };
  const board: QueryDocument = {
    ...reading,
    stages: {
      detect: { model: 'detector' },
      names: { model: 'a', from: 'detect', regions: [left, right] },
      clock: { model: 'b', from: 'detect', regions: [{ x: 0.4, y: 0, width: 0.2, height: 0.5 }], scoreMin: 0.5 },
      inside: { model: 'c', from: 'names', regions: [left] },
      seen: { model: 'd', from: 'detect', whole: true, regions: [{ x: 0, y: 0.9, width: 1, height: 0.1 }] },
    },
  };
  const { imaging, asked } = plainImaging();
  const { clock, router, frame, offers, results, grant, answer } = await world(t, { imaging, queries: [board] });
  await router();
  frame('cam-1');
  await clock.runFor(1);
  // Frames are 200×100.
  const found: Parameters<typeof boxes> = [
    [0, 10, 20, 20, 0.9], // left
    [44, 0, 14, 10, 0.9], // middle at 51: no more left
    [160, 0, 40, 100, 0.9], // right, middle on the lower edge
    [160, 2, 40, 100, 0.9], // beneath
    [90, 10, 20, 10, 0.9], // the clock
    [90, 10, 20, 10, 0.4], // not sure enough
  ];
  answer(offers[0]!, grant(offers[0]!), boxes(...found));
  await clock.runFor(1);
  t.deepEqual(asked, [[regionOf(found[0]!), regionOf(found[2]!), regionOf(found[4]!)]]);
  const taken = () => offers.slice(1).map(({ session }) => session.split('/')[1]);
  t.deepEqual(taken(), ['a', 'a', 'b']);
  // Boxes found in a piece lie where they lie in the frame.
  answer(offers[1]!, grant(offers[1]!), boxes([0, 0, 4, 4, 1]));
  answer(offers[2]!, grant(offers[2]!), boxes([0, 0, 4, 4, 1]));
  await clock.runFor(1);
  t.deepEqual(taken(), ['a', 'a', 'b', 'c']);
  for (const offer of offers.slice(3)) answer(offer, grant(offer), text('x'));
  await clock.runFor(1);
  t.like(results[0], { outcome: 'ok' });
  t.deepEqual(
    results[0]!.stages['inside']!.map(({ parent }) => parent),
    [0],
  );
  t.deepEqual(results[0]!.stages['seen'], []);
});

const regionOf = ([x, y, width, height]: readonly number[]) => ({ x, y, width, height });

test('router: a frame whose size can not be told fails where a stage asks for regions', async t => {
  const regions = [{ x: 0, y: 0, width: 1, height: 1 }];
  const inRegions: QueryDocument = {
    ...reading,
    stages: { detect: { model: 'detector' }, read: { model: 'reader', from: 'detect', regions } },
  };
  const imaging = { ...plainImaging().imaging, size: () => Promise.reject(new InputError('it has no header')) };
  const { clock, router, frame, offers, results, grant, answer } = await world(t, { imaging, queries: [inRegions] });
  await router();
  frame('cam-1');
  await clock.runFor(1);
  answer(offers[0]!, grant(offers[0]!), boxes([0, 0, 10, 10, 1]));
  await clock.runFor(1);
  t.like(results[0], { outcome: 'failed', trouble: { reason: 'input', stage: 'read', retryable: false } });
  t.regex(results[0]!.trouble!.detail, /it has no header/);
});

test('router: boxes found in a piece that was turned upright are turned back', async t => {
  const nested: QueryDocument = { ...reading, stages: { ...reading.stages, more: { model: 'x', from: 'read' } } };
  const { clock, router, frame, offers, results, grant, answer } = await world(t, { queries: [nested] });
  await router();
  frame('cam-1');
  await clock.runFor(1);
  // A quarter turn: its upper side runs down the frame at x = 50.
  const quad = [50, 10, 50, 30, 40, 30, 40, 10];
  answer(offers[0]!, grant(offers[0]!), {
    kind: 'boxes',
    boxes: [{ x: 40, y: 10, width: 10, height: 20, score: 1, quad }],
  });
  await clock.runFor(1);
  answer(offers[1]!, grant(offers[1]!), {
    kind: 'boxes',
    boxes: [{ x: 0, y: 0, width: 10, height: 20, score: 1, points: [0, 0] }],
  });
  await clock.runFor(1);
  answer(offers[2]!, grant(offers[2]!), text('end'));
  await clock.runFor(1);
  const output = results[0]!.stages['read']![0]!.output;
  t.is(results[0]!.outcome, 'ok');
  const [box] = output.kind === 'boxes' ? output.boxes : [];
  // The fake crop says that it is 10 wide and 20 high where the piece is 20 wide and 10 high: scales of 2 and 0.5.
  t.like(box, { x: 40, y: 10, width: 10, height: 20 });
  t.deepEqual(box!.points, [50, 10]);
});

test('router: real pictures are cut by the real imaging', async t => {
  const stripes = Buffer.alloc(60 * 20 * 3);
  for (let i = 0; i < 60 * 20; i++) stripes[3 * i + (i % 60 < 30 ? 0 : 2)] = 250; // red, then blue
  const png = await sharp(stripes, { raw: { width: 60, height: 20, channels: 3 } })
    .png()
    .toBuffer();
  let cut: () => void = () => {};
  const done = new Promise<void>(resolve => (cut = resolve));
  const crop: typeof imaging.crop = async (picture, regions) => imaging.crop(picture, regions).finally(cut);
  const { clock, router, frame, offers, sent, grant, answer } = await world(t, {
    imaging: { ...imaging, crop },
    queries: [reading],
  });
  await router();
  frame('cam-1', { picture: { encoding: 'png', data: new Uint8Array(png) } });
  await clock.runFor(1);
  answer(offers[0]!, grant(offers[0]!), boxes([40, 2, 10, 4, 0.5]));
  await clock.runFor(1);
  await done; // it is decoded on threads, outside of simulated time
  await clock.runFor(1);
  grant(offers[1]!);
  await clock.runFor(1);
  const [piece] = sent[1]!.payloads;
  t.like(piece, { encoding: 'rgb', width: 10, height: 4 });
  t.deepEqual(piece!.encoding === 'tensors' ? [] : [...piece!.data.subarray(0, 3)], [0, 0, 250]);
});

test('router: a one-off request with tensors goes to the first stage and is answered itself', async t => {
  const { clock, router, offers, sent, results, grant, answer, ask } = await world(t);
  await router();
  const tensors = { x: { type: 'uint8', dims: [3], data: Uint8Array.of(7, 8, 9) } } as const;
  const asking = ask('look', {
    payload: { encoding: 'tensors', tensors: { x: { ...tensors.x, dims: [3] } } },
    budgetMs: 90,
  });
  await clock.runFor(1);
  t.like(offers, [{ budgetMs: 90, bytes: 3 }]);
  answer(offers[0]!, grant(offers[0]!), text('x'));
  const result = await clock.settle(asking);
  t.like(result, { outcome: 'ok', objectiveMs: 90 });
  t.false('stream' in result);
  t.deepEqual(sent[0]!.payloads, [{ encoding: 'tensors', tensors: { x: { ...tensors.x, dims: [3] } } }]);
  t.deepEqual(results, [], 'nothing is published');
});

test('router: two routers share the frames, and each names its own results', async t => {
  const { clock, router, frame, offers, results, grant, answer } = await world(t);
  await router('router-1');
  await router('router-2');
  for (let seq = 0; seq < 10; seq++) frame('cam-1', { seq });
  await clock.runFor(1);
  t.is(offers.length, 10);
  t.deepEqual([...new Set(offers.map(offer => offer.router))].sort(), ['router-1', 'router-2']);
  for (const offer of offers) answer(offer, grant(offer), text('x'));
  await clock.runFor(1);
  t.is(new Set(results.map(({ seq }) => seq)).size, 10);
  t.is(new Set(results.map(({ request }) => request)).size, 10);
});

test('router: what one batch is owed travels in as few messages as max_payload allows', async t => {
  const maxPayloadBytes = 8192;
  const { clock, router, frame, offers, sent, grant } = await world(t, { maxPayloadBytes });
  await router();
  for (let seq = 0; seq < 10; seq++)
    frame('cam-1', { seq, picture: { encoding: 'jpeg', data: new Uint8Array(2000).fill(seq) } });
  await clock.runFor(1);
  grant(offers);
  await clock.runFor(1);
  t.deepEqual(
    sent.flatMap(({ ids }) => ids),
    offers.map(({ id }) => id),
  );
  t.is(sent.length, 4);
  t.true(sent.every(({ bytes }) => bytes <= maxPayloadBytes));
});

test('router: offers of one turn travel together, with unknown fields in messages ignored', async t => {
  const { clock, router, bus, frame, offers, results, publish, grant, answer } = await world(t);
  await router();
  let messages = 0;
  bus.subscribe('ganglion.offers.*', () => void messages++);
  frame('cam-1', { nonsense: 1, picture: { encoding: 'jpeg', data: JPEG, nonsense: 2 } } as never);
  await clock.runFor(1);
  t.is(messages, 1);
  const batch = grant(offers[0]!);
  answer(offers[0]!, batch, text('x'), { nonsense: 3 } as never);
  await clock.runFor(1);
  t.is(results[0]!.outcome, 'ok');
  t.is(typeof publish, 'function');
});

test('router: its beats tell rates, fan-out and outcomes', async t => {
  const { clock, router, frame, offers, beats, grant, answer } = await world(t, { queries: [reading] });
  await router();
  for (let seq = 0; seq < 4; seq++) {
    frame('cam-1', { seq });
    await clock.runFor(10);
    const first = offers.at(-1)!;
    answer(first, grant(first), boxes([0, 0, 4, 4, 1], [9, 9, 4, 4, 1]));
    await clock.runFor(10);
    for (const offer of offers.slice(-2)) answer(offer, grant(offer), text('x'));
    await clock.runFor(10);
  }
  await clock.runFor(1000);
  const beat = beats[0]!;
  t.like(beat, { epoch: 1, inFlight: 0, heldBytes: 0, duplicates: 0, intervalMs: 1000 });
  t.like(beat.queries, [{ query: 'read', accepted: 4, ok: 4, late: 0, rejected: 0 }]);
  t.is(beat.queries[0]!.p50Ms, 20);
  t.like(beat.stages, [
    { stage: 'detect', rateHz: 4, fanout: 1, count: 4 },
    { stage: 'read', rateHz: 8, fanout: 2, count: 8 },
  ]);
  await clock.runFor(1000);
  t.like(beats[1]!.stages, [{ rateHz: 0 }, { rateHz: 0, fanout: 2, count: 8 }], 'the fan-out is remembered');
});

test('router: what is dropped or turned away is demand all the same, for the stages behind it too', async t => {
  const { clock, router, frame, offers, beats, drop } = await world(t, {
    queries: [{ ...reading, stages: { ...reading.stages, read: { ...reading.stages['read']!, fanout: 3 } } }],
  });
  await router('router-1', { inFlightMax: 2 });
  for (let seq = 0; seq < 10; seq++) frame('cam-1', { seq });
  await clock.runFor(10);
  for (const offer of offers) drop(offer);
  await clock.runFor(1000);
  t.like(beats[0]!.queries, [{ accepted: 2, dropped: 2, rejected: 8 }]);
  t.like(beats[0]!.stages, [
    { stage: 'detect', rateHz: 10, count: 2 },
    { stage: 'read', rateHz: 30, count: 0 },
  ]);
  await clock.runFor(1000);
  t.like(beats[1]!.stages, [{ rateHz: 0 }, { rateHz: 0 }]);
});

test('router: a new plan moves what is queued to its new pool', async t => {
  const { clock, router, frame, offers, withdrawn, results, plan, grant, answer } = await world(t);
  await router();
  frame('cam-1');
  await clock.runFor(1);
  plan(planFor([looking], { epoch: 1, nonce: 'other' }, 'pool-9'));
  await clock.runFor(1);
  t.is(offers.length, 1, 'the same epoch of another leader is ignored');
  plan(planFor([looking], { epoch: 2, nonce: 'other' }, 'pool-9'));
  await clock.runFor(1);
  t.like(offers[1], { pool: 'pool-9', id: offers[0]!.id });
  t.deepEqual(withdrawn, [offers[0]!.id]);
  answer(offers[1]!, grant(offers[1]!), text('x'));
  await clock.runFor(1);
  t.like(results, [{ outcome: 'ok', epoch: 1 }]);
});
