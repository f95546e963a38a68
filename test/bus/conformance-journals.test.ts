import test from 'ava';
import { ConfigError, type Bus, type JournalEntry, type JournalSettings } from '../../contracts/index.ts';
import { bytes, collect, kinds, text, until } from './worlds.ts';

// What contracts/bus.ts promises about journals, on every implementation.

const settings: JournalSettings = {
  subjects: ['frames.a.*'],
  keep: 'until-read',
  maxBytes: 1_000_000,
  maxAgeMs: 3_600_000,
  dedupeMs: 60_000,
};
const reader = { name: 'query', subjects: ['frames.a.*'], ackWaitMs: 60_000, heldMax: 100 };
const shown = ({ subject, data, attempt }: JournalEntry): string => `${subject} ${text(data)} (${attempt})`;

/** Reads and keeps what comes; each entry is handled by `handle`, acknowledged by default. */
async function follow(
  bus: Bus,
  options: Partial<typeof reader> = {},
  handle: (entry: JournalEntry) => void = entry => entry.ack(),
) {
  const journal = await bus.journal('frames', settings);
  const got: string[] = [];
  const entries: JournalEntry[] = [];
  const opened = await journal.read({ ...reader, ...options }, entry => {
    got.push(shown(entry));
    entries.push(entry);
    handle(entry);
  });
  return { got, entries, close: async () => opened.close() };
}

for (const { name, start } of kinds) {
  test.serial(
    `journal: what is published plainly is stored and read, plain subscribers get it too (${name})`,
    async t => {
      const world = await start(t);
      const [a, b] = [await world.connect(), await world.connect()];
      const { got } = await follow(b);
      const plain = await collect(b, 'frames.>');
      a.publish('frames.a.cam1', bytes('1'));
      a.publish('frames.b.cam1', bytes('not stored'));
      a.publish('frames.a.cam2', bytes('2'));
      await until(
        () => got.length === 2 && plain.length === 3,
        () => ({ got, plain }),
      );
      t.deepEqual(got, ['frames.a.cam1 1 (1)', 'frames.a.cam2 2 (1)']);
    },
  );

  test.serial(`journal: what nobody had open waits for the reader (${name})`, async t => {
    const world = await start(t);
    const [a, b] = [await world.connect(), await world.connect()];
    const journal = await a.journal('frames', settings);
    await journal.append('frames.a.cam1', bytes('for nobody'));
    await journal.addReader(reader);
    for (const n of ['1', '2', '3']) t.deepEqual(await journal.append('frames.a.cam1', bytes(n)), { duplicate: false });
    const second = await follow(b);
    await until(
      () => second.got.length === 3,
      () => second.got,
    );
    t.deepEqual(second.got, ['frames.a.cam1 1 (1)', 'frames.a.cam1 2 (1)', 'frames.a.cam1 3 (1)']);
    t.deepEqual(
      [...second.entries].map(entry => entry.sequence),
      [2, 3, 4],
    );
  });

  test.serial(`journal: the same id is stored once (${name})`, async t => {
    const world = await start(t);
    const bus = await world.connect();
    const { got, entries } = await follow(bus);
    const journal = await bus.journal('frames', settings);
    t.deepEqual(await journal.append('frames.a.cam1', bytes('1'), { id: 'x' }), { duplicate: false });
    t.deepEqual(await journal.append('frames.a.cam1', bytes('1 again'), { id: 'x' }), { duplicate: true });
    t.deepEqual(await journal.append('frames.a.cam1', bytes('2'), { id: 'y' }), { duplicate: false });
    await until(
      () => got.length === 2,
      () => got,
    );
    t.deepEqual(got, ['frames.a.cam1 1 (1)', 'frames.a.cam1 2 (1)']);
    t.deepEqual(
      entries.map(({ id }) => id),
      ['x', 'y'],
    );
  });

  test.serial(`journal: given back it comes again, acknowledged it doesn't (${name})`, async t => {
    const world = await start(t);
    const bus = await world.connect();
    const { got, entries } = await follow(bus, {}, entry => (entry.attempt < 3 ? entry.retry(10) : entry.ack()));
    bus.publish('frames.a.cam1', bytes('1'));
    await until(
      () => got.length === 3,
      () => got,
    );
    bus.publish('frames.a.cam1', bytes('2'));
    await until(
      () => got.length === 6,
      () => got,
    );
    t.deepEqual(
      got,
      [1, 2].flatMap(n => [1, 2, 3].map(attempt => `frames.a.cam1 ${n} (${attempt})`)),
    );
    const [first, second] = [entries.slice(0, 3), entries.slice(3)].map(of => of.map(entry => entry.storedAtMs));
    t.is(new Set(first).size, 1, 'it was stored when it was stored, however often it comes');
    t.true(second![0]! > first![0]!);
  });

  test.serial(
    `journal: without acknowledgement it comes again, to another one if the first is gone (${name})`,
    async t => {
      const world = await start(t);
      const [a, b] = [await world.connect(), await world.connect()];
      const stuck = await follow(a, { ackWaitMs: 300 }, () => {});
      b.publish('frames.a.cam1', bytes('1'));
      await until(
        () => stuck.got.length === 1,
        () => stuck.got,
      );
      await a.close();
      const healthy = await follow(b, { ackWaitMs: 300 });
      await until(
        () => healthy.got.length === 1,
        () => healthy.got,
      );
      t.deepEqual(healthy.got, ['frames.a.cam1 1 (2)']);
    },
  );

  test.serial(`journal: who says that it is at it is not disturbed (${name})`, async t => {
    const world = await start(t);
    const bus = await world.connect();
    const slow = await follow(bus, { ackWaitMs: 400 }, () => {});
    const patient = setInterval(() => slow.entries.forEach(entry => entry.working()), 50);
    t.teardown(() => clearInterval(patient));
    bus.publish('frames.a.cam1', bytes('1'));
    await until(
      () => slow.got.length === 1,
      () => slow.got,
    );
    const begun = performance.now();
    await until(() => performance.now() - begun > 1200);
    t.deepEqual(slow.got, ['frames.a.cam1 1 (1)']);
  });

  test.serial(`journal: no more than heldMax at once (${name})`, async t => {
    const world = await start(t);
    const bus = await world.connect();
    const { got, entries } = await follow(bus, { heldMax: 2 }, () => {});
    const journal = await bus.journal('frames', settings);
    for (let n = 1; n <= 5; n++) await journal.append('frames.a.cam1', bytes(String(n)));
    await until(
      () => got.length === 2,
      () => got,
    );
    for (let n = 3; n <= 5; n++) {
      t.is(got.length, n - 1);
      entries[n - 3]!.ack();
      await until(
        () => got.length === n,
        () => got,
      );
    }
  });

  test.serial(`journal: several share a reader, two readers both get all (${name})`, async t => {
    const world = await start(t);
    const [a, b] = [await world.connect(), await world.connect()];
    const [one, two] = [await follow(a), await follow(b)];
    const other = await follow(b, { name: 'other', subjects: ['frames.a.cam2'] });
    const journal = await a.journal('frames', settings);
    for (let n = 0; n < 20; n++) await journal.append(`frames.a.cam${n % 2}`, bytes(String(n)));
    await journal.append('frames.a.cam2', bytes('for both'));
    await until(
      () => one.got.length + two.got.length === 21 && other.got.length === 1,
      () => [one.got, two.got],
    );
    t.is(new Set([...one.got, ...two.got]).size, 21);
    t.deepEqual(other.got, ['frames.a.cam2 for both (1)']);
  });

  test.serial(`journal: several subjects for one reader, more are added later (${name})`, async t => {
    const world = await start(t);
    const bus = await world.connect();
    const { got } = await follow(bus, { subjects: ['frames.a.cam1', 'frames.a.cam3'] });
    const wider = await bus.journal('frames', { ...settings, subjects: ['frames.b.cam1', 'frames.a.cam1'] });
    const late = await follow(bus, { name: 'late', subjects: ['frames.b.cam1'] });
    for (const subject of ['frames.a.cam1', 'frames.a.cam2', 'frames.a.cam3', 'frames.b.cam1'])
      await wider.append(subject, bytes('x'));
    await until(
      () => got.length === 2 && late.got.length === 1,
      () => ({ got, late: late.got }),
    );
    t.deepEqual(got, ['frames.a.cam1 x (1)', 'frames.a.cam3 x (1)']);
  });

  test.serial(`journal: a removed reader is forgotten (${name})`, async t => {
    const world = await start(t);
    const bus = await world.connect();
    const journal = await bus.journal('frames', settings);
    await journal.addReader(reader);
    await journal.append('frames.a.cam1', bytes('unread'));
    await journal.removeReader('query');
    await journal.removeReader('query');
    const after = await follow(bus);
    await journal.append('frames.a.cam1', bytes('new'));
    await until(
      () => after.got.length === 1,
      () => after.got,
    );
    t.deepEqual(after.got, ['frames.a.cam1 new (1)']);
  });

  test.serial(`journal: full of unread messages it takes no more and says so (${name})`, async t => {
    const world = await start(t);
    const bus = await world.connect();
    const small = { ...settings, maxBytes: 10_000 };
    const journal = await bus.journal('frames', small);
    await journal.addReader(reader);
    await journal.append('frames.a.cam1', new Uint8Array(6000));
    await t.throwsAsync(journal.append('frames.a.cam1', new Uint8Array(6000)), { code: 'storage-unavailable' });
  });

  test.serial(`journal: a subject belongs to one journal (${name})`, async t => {
    const world = await start(t);
    const bus = await world.connect();
    await bus.journal('frames', settings);
    await t.throwsAsync(bus.journal('others', { ...settings, subjects: ['frames.a.cam7'] }), {
      instanceOf: ConfigError,
    });
  });

  test.serial(`journal: nothing stored is lost when the server is restarted (${name})`, async t => {
    const world = await start(t);
    const [a, b] = [await world.connect(), await world.connect()];
    const { got } = await follow(b, { ackWaitMs: 1000 });
    const journal = await a.journal('frames', settings);
    await journal.append('frames.a.cam1', bytes('1'));
    await until(
      () => got.length === 1,
      () => got,
    );
    await world.crash();
    await t.throwsAsync(journal.append('frames.a.cam1', bytes('lost')), { code: 'storage-unavailable' });
    await world.restart();
    await until(() => a.connected && b.connected);
    for (let stored = false; !stored; )
      stored = await journal.append('frames.a.cam1', bytes('2')).then(
        () => true,
        () => false,
      );
    await until(
      () => got.includes('frames.a.cam1 2 (1)'),
      () => got,
    );
  });
}
