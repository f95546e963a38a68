import test from 'ava';
import { createNetwork, encode, VirtualClock } from '../../bus/index.ts';
import * as example from '../../contracts/examples.ts';
import { prefixId, subjects, suffixId, type RouterBeat } from '../../contracts/index.ts';
import { styleFor, visibleWidth } from '../../deploy/terminal/index.ts';
import { collectView, renderTop, troublesOf, type View } from '../../deploy/view/index.ts';

const PREFIX = 'ganglion';

/** A bus with somebody who beats and somebody who watches. */
function cluster() {
  const clock = new VirtualClock();
  const network = createNetwork({ clock });
  const actors = network.connect('actors');
  const watcher = network.connect('watcher');
  const collector = collectView(watcher, { prefix: PREFIX, clock, url: 'nats://here' });
  const router = (counts: Partial<RouterBeat['queries'][number]>): void => {
    const queries = [{ ...example.routerBeat.queries[0]!, ...counts }];
    actors.publish(subjects.routerBeats.at(PREFIX, { router: 'router-1' }), encode({ ...example.routerBeat, queries }));
  };
  const all = (): void => {
    actors.publish(subjects.hostBeats.at(PREFIX, { host: 'gpu-a' }), encode(example.hostBeat));
    actors.publish(subjects.batcherBeats.at(PREFIX, { batcher: 'batcher-1' }), encode(example.batcherBeat));
    actors.publish(subjects.samplerBeats.at(PREFIX, { sampler: 'sampler-1' }), encode(example.samplerBeat));
    actors.publish(subjects.allocatorBeats.at(PREFIX, { allocator: 'allocator-1' }), encode(example.allocatorBeat));
    actors.publish(subjects.plans.at(PREFIX), encode(example.plan));
  };
  return { clock, actors, collector, router, all };
}

test('view: rates and outcomes are what was counted since one began to watch', async t => {
  const { clock, collector, router, all } = cluster();
  router({ accepted: 1000, ok: 990, late: 5 });
  all();
  await clock.runFor(1000);
  router({ accepted: 1010, ok: 999, late: 6 });
  await clock.runFor(1000);
  router({ accepted: 1020, ok: 1008, late: 7 });
  await clock.runFor(10);
  const [query] = collector.view().queries;
  t.like(query, { query: 'scoreboard', rateHz: 10, ok: 18, late: 2, badShare: 0.1, objectiveMs: 800 });
});

test('view: a router that starts again counts from zero, what it had counted stays', async t => {
  const { clock, collector, router } = cluster();
  router({ accepted: 1000, ok: 1000, late: 0 });
  await clock.runFor(1000);
  router({ accepted: 1010, ok: 1010, late: 0 });
  await clock.runFor(1000);
  router({ accepted: 0, ok: 0, late: 0 });
  await clock.runFor(1000);
  router({ accepted: 4, ok: 4, late: 0 });
  await clock.runFor(10);
  t.like(collector.view().queries[0], { ok: 14, rateHz: 4 });
});

test('view: an actor that falls silent is trouble, and forgotten after a minute', async t => {
  const { clock, collector, router, all } = cluster();
  router({});
  all();
  await clock.runFor(1000);
  t.deepEqual(
    troublesOf(collector.view()).filter(({ severity }) => severity === 'error'),
    [],
  );
  await clock.runFor(5000);
  const told = troublesOf(collector.view()).map(({ what }) => what);
  t.true(told.includes('gpu-host gpu-a has been silent for 6 s'), told.join('\n'));
  t.true(told.includes('no gpu-host is alive'));
  await clock.runFor(60_000);
  t.deepEqual(collector.view().hosts, []);
});

test('view: a host that took its leave is shown as left for a moment, then gone, and no trouble', async t => {
  const { clock, actors, collector, all } = cluster();
  all();
  const beat = { ...example.hostBeat, state: 'left' as const };
  actors.publish(subjects.hostBeats.at(PREFIX, { host: 'gpu-b' }), encode(beat));
  await clock.runFor(1000);
  t.deepEqual(
    collector.view().hosts.map(({ name, beat: { state } }) => [name, state]),
    [
      ['gpu-a', 'ready'],
      ['gpu-b', 'left'],
    ],
  );
  await clock.runFor(3500);
  t.deepEqual(
    collector.view().hosts.map(({ name }) => name),
    ['gpu-a'],
  );
  t.false(troublesOf(collector.view()).some(({ what }) => what.includes('gpu-b')));
});

test('view: what is no beat is ignored', async t => {
  const { clock, actors, collector } = cluster();
  actors.publish(`${PREFIX}.beats.host.gpu-a`, Uint8Array.of(0xc1, 1, 2));
  actors.publish(`${PREFIX}.beats.host.gpu-b`, encode({ v: 1, state: 'odd' }));
  await clock.runFor(100);
  t.deepEqual(collector.view().hosts, []);
});

async function busyView(): Promise<View> {
  const { clock, collector, actors, router, all } = cluster();
  for (let second = 0; second < 4; second++) {
    all();
    router({
      query: 'a-query-with-a-name-so-long-that-it-will-not-fit',
      accepted: 100_000 * second,
      late: 50 * second,
    });
    const detail = 'a long story '.repeat(30);
    const model = `${'m'.repeat(50)}@0123456789ab`;
    const residents = Array.from({ length: 12 }, () => ({ ...example.hostBeat.residents[0]!, model, detail }));
    for (let n = 0; n < 6; n++) {
      const beat = { ...example.hostBeat, residents, device: { ...example.hostBeat.device, emulated: n % 2 === 0 } };
      actors.publish(subjects.hostBeats.at(PREFIX, { host: `host-${n}` }), encode(beat));
    }
    const streams = [{ ...example.samplerBeat.streams[0]!, state: 'dead', detail }];
    actors.publish(subjects.samplerBeats.at(PREFIX, { sampler: 's-2' }), encode({ ...example.samplerBeat, streams }));
    await clock.runFor(1000);
  }
  return collector.view();
}

for (const [width, height] of [
  [80, 24],
  [80, 100],
  [60, 12],
  [200, 50],
] as const) {
  for (const color of [false, true]) {
    test(`top: no line is too long and no frame too high (${width}×${height}${color ? ', colours' : ''})`, async t => {
      const frame = renderTop(await busyView(), { width, height, color });
      const lines = frame.split('\n');
      t.true(lines.length <= height);
      for (const line of lines) t.true(visibleWidth(line) <= width, line);
      t.is(frame.includes('\u001b['), color);
    });
  }
}

test('top: a frame tells epoch, queries, hosts, streams and what is wrong', async t => {
  const frame = renderTop(await busyView(), { width: 100, height: 100, color: false });
  for (const told of [
    /epoch 4 preparing \(allocator-1\)/,
    /waiting for gpu-b: loading/,
    /REQ\/S +OK +LATE/,
    /host-0 +cpu-1t\*/,
    /emulated: its answers are not real/,
    /default\/game-1 +dead/,
    /! stream default\/game-1 is dead/,
  ])
    t.regex(frame, told);
});

test('top: an empty cluster says what to do', t => {
  const clock = new VirtualClock();
  const collector = collectView(createNetwork({ clock }).connect('w'), { prefix: PREFIX, clock });
  const frame = renderTop(collector.view(), { width: 80, height: 24, color: false });
  t.regex(frame, /no queries yet: ganglion apply/);
  t.regex(frame, /no hosts yet: ganglion run gpu-host/);
  t.is(styleFor(false).red('x'), 'x');
});

test('view: models that share a prefix are shown with what that saves', async t => {
  const { clock, actors, collector, all } = cluster();
  all();
  const resident = { ...example.hostBeat.residents[0]!, ephemeralBytes: 0 };
  const suffixes = ['score', 'clock', 'names'].map(name => ({
    ...resident,
    model: suffixId(`${name}@0123456789ab`, 'ba9876543210'),
    persistentBytes: 3e6,
    wholeBytes: 100e6,
  }));
  const trunk = { ...resident, model: prefixId('ba9876543210'), persistentBytes: 97e6 };
  const beat = { ...example.hostBeat, residents: [trunk, ...suffixes] };
  actors.publish(subjects.hostBeats.at(PREFIX, { host: 'gpu-a' }), encode(beat));
  const pools = [{ ...example.batcherBeat.pools[0]!, batches: 100, mixed: 40 }];
  actors.publish(subjects.batcherBeats.at(PREFIX, { batcher: 'batcher-1' }), encode({ ...example.batcherBeat, pools }));
  await clock.runFor(10);
  const view = collector.view();
  t.like(view.hosts[0]!.groups, [{ persistentBytes: 106e6, savedBytes: 194e6 }] as never);
  const text = renderTop(view, { width: 120, height: 40, color: false });
  t.regex(text, /\+score \+clock \+names/);
  t.regex(text, /gpu-a: score, clock, names share a prefix: 194 MB saved/);
  t.regex(text, /40\S* ?% of several models/);
});

test('view: a host that its batcher relieves, or that the plan avoids, is shown with the reason', async t => {
  const { clock, actors, collector, all } = cluster();
  const batcher = (more: object): void =>
    void actors.publish(
      subjects.batcherBeats.at(PREFIX, { batcher: 'batcher-1' }),
      encode({ ...example.batcherBeat, ...more }),
    );
  const shown = (): string => renderTop(collector.view(), { width: 120, height: 60, color: false });
  const told = (): string | undefined => troublesOf(collector.view()).find(({ what }) => what.includes('gpu-a'))?.what;
  all();
  await clock.runFor(10);
  t.is(told(), undefined);
  batcher({ ailing: [{ host: 'gpu-a', times: 9.84, wrong: 0, relieved: true }] });
  await clock.runFor(10);
  t.regex(shown(), /gpu-a .*slow 9\.8×/);
  t.regex(told()!, /not well: it takes 9\.8 × its profiles; it gets one request a second/);
  batcher({ ailing: [{ host: 'gpu-a', times: 1, wrong: 0.4, relieved: false }] });
  await clock.runFor(10);
  t.regex(shown(), /gpu-a .*wrong 40 %/);
  t.regex(told()!, /40 % of its runs give wrong outputs$/);
  batcher({});
  const beat = { ...example.allocatorBeat, role: 'leader', avoiding: ['gpu-a'] };
  actors.publish(subjects.allocatorBeats.at(PREFIX, { allocator: 'allocator-1' }), encode(beat));
  await clock.runFor(10);
  t.regex(shown(), /gpu-a .*avoided/);
  t.regex(told()!, /the plan does without it/);
});

test('view: a batcher that took its leave is not silent', async t => {
  const { clock, actors, collector, all } = cluster();
  all();
  await clock.runFor(10);
  const beat = { ...example.batcherBeat, leaving: true };
  actors.publish(subjects.batcherBeats.at(PREFIX, { batcher: 'batcher-1' }), encode(beat));
  await clock.runFor(5000);
  t.deepEqual(collector.view().batchers, []);
});
