import test from 'ava';
import { ConflictError, StorageUnavailableError, type KeyValue, type KeyValueEntry } from '../../contracts/index.ts';
import { bytes, kinds, text, until, type World } from './worlds.ts';

// What contracts/bus.ts promises about buckets and object stores, on every implementation.

const shown = (entry: KeyValueEntry): string => `${entry.key}=${text(entry.value) ?? '(deleted)'}`;

/** Watches and keeps what is told, with `ready` where it was. */
async function follow(bucket: KeyValue, filter: string): Promise<{ told: string[]; end: () => void }> {
  const told: string[] = [];
  const end = await bucket.watch(filter, entry => told.push(shown(entry)), { onReady: () => told.push('ready') });
  return { told, end };
}

/** Waits until storage answers again after a restart. */
async function storageBack(bucket: KeyValue): Promise<void> {
  let answers = false;
  const ask = async (): Promise<void> => {
    while (!answers) {
      answers = await bucket.keys().then(
        () => true,
        error => {
          if (!(error instanceof StorageUnavailableError)) throw error;
          return false;
        },
      );
      await new Promise(resolve => void setTimeout(resolve, 20));
    }
  };
  await ask();
}

const twoBuckets = async (world: World): Promise<[KeyValue, KeyValue]> => {
  const [a, b] = [await world.connect(), await world.connect()];
  return [await a.keyValue('things'), await b.keyValue('things')];
};

for (const { name, start } of kinds) {
  test.serial(`bucket: what one client puts another gets (${name})`, async t => {
    const [a, b] = await twoBuckets(await start(t));
    t.is(await b.get('no.such'), undefined);
    const revision = await a.put('some.key', bytes('1'));
    const entry = await b.get('some.key');
    t.deepEqual(entry && { ...entry, value: text(entry.value) }, { key: 'some.key', value: '1', revision });
    const next = await b.put('some.key', bytes('2'));
    t.true(next > revision);
    t.is(text((await a.get('some.key'))?.value), '2');
    await a.put('empty', new Uint8Array(0));
    t.is((await b.get('empty'))?.value?.byteLength, 0);
    t.deepEqual(await b.keys().then(keys => keys.sort()), ['empty', 'some.key']);
  });

  test.serial(`bucket: create and update go by revision, the loser learns it (${name})`, async t => {
    const [a, b] = await twoBuckets(await start(t));
    const first = await a.create('leader', bytes('a'));
    const conflict = await t.throwsAsync(b.create('leader', bytes('b')));
    t.true(conflict instanceof ConflictError);
    t.is((conflict as ConflictError).key, 'leader');
    const second = await a.update('leader', bytes('a2'), first);
    t.true(second > first);
    await t.throwsAsync(b.update('leader', bytes('b'), first), { instanceOf: ConflictError });
    await t.throwsAsync(b.update('other', bytes('b'), 7), { instanceOf: ConflictError });
    t.is(text((await b.get('leader'))?.value), 'a2');
    t.is(await b.get('other'), undefined);
  });

  test.serial(`bucket: of many that create one key at once exactly one wins (${name})`, async t => {
    const [a, b] = await twoBuckets(await start(t));
    const tries = Array.from({ length: 20 }, async (_, i) =>
      (i % 2 === 0 ? a : b).create('once', bytes(String(i))).then(
        () => 'won',
        error => (error instanceof ConflictError ? 'lost' : String(error)),
      ),
    );
    const outcomes = await Promise.all(tries);
    t.is(outcomes.filter(outcome => outcome === 'won').length, 1);
    t.is(outcomes.filter(outcome => outcome === 'lost').length, 19);
  });

  test.serial(`bucket: a deleted key is absent and can be created anew (${name})`, async t => {
    const [a, b] = await twoBuckets(await start(t));
    const first = await a.create('k', bytes('1'));
    const second = await a.update('k', bytes('2'), first);
    await t.throwsAsync(b.delete('k', first), { instanceOf: ConflictError });
    await b.delete('k', second);
    t.is(await a.get('k'), undefined);
    t.deepEqual(await a.keys(), []);
    const third = await a.create('k', bytes('3'));
    t.true(third > second);
    await b.delete('k');
    t.is(await a.get('k'), undefined);
    await b.delete('never.was');
  });

  test.serial(`bucket: keys by filter (${name})`, async t => {
    const [a] = await twoBuckets(await start(t));
    t.deepEqual(await a.keys(), []);
    for (const key of ['models.a', 'queries.x.a', 'queries.x.b', 'queries.y.a']) await a.put(key, bytes('1'));
    t.deepEqual(await a.keys('queries.x.*').then(keys => keys.sort()), ['queries.x.a', 'queries.x.b']);
    t.deepEqual(await a.keys('queries.>').then(keys => keys.length), 3);
    t.deepEqual(await a.keys('nothing.>'), []);
  });

  test.serial(`bucket: a watch tells what exists, then ready, then each change (${name})`, async t => {
    const [a, b] = await twoBuckets(await start(t));
    await a.put('x.1', bytes('one'));
    await a.put('x.2', bytes('two'));
    await a.put('x.gone', bytes('-'));
    await a.delete('x.gone');
    await a.put('y.1', bytes('other'));
    const { told, end } = await follow(b, 'x.>');
    await until(() => told.includes('ready'));
    t.deepEqual([...told].sort(), ['ready', 'x.1=one', 'x.2=two']);
    t.is(told.at(-1), 'ready');
    await a.put('x.1', bytes('uno'));
    await a.put('y.1', bytes('unseen'));
    await a.delete('x.2');
    await a.put('x.3', bytes('three'));
    await until(
      () => told.length >= 6,
      () => told,
    );
    t.deepEqual(told.slice(3), ['x.1=uno', 'x.2=(deleted)', 'x.3=three']);
    end();
    const { told: later } = await follow(b, 'x.>');
    await a.put('x.4', bytes('four'));
    await until(() => later.includes('x.4=four'));
    t.is(told.length, 6, 'an ended watch is silent');
  });

  test.serial(`bucket: a watch of nothing is ready at once (${name})`, async t => {
    const [a] = await twoBuckets(await start(t));
    const { told } = await follow(a, '>');
    await until(() => told.length > 0);
    t.deepEqual(told, ['ready']);
  });

  test.serial(`bucket: everything lasts over a restart, and a watch goes on (${name})`, async t => {
    const world = await start(t);
    const [a, b] = await twoBuckets(world);
    const revision = await a.put('kept', bytes('1'));
    const { told } = await follow(b, '>');
    await until(() => told.includes('ready'));
    await world.crash();
    await t.throwsAsync(a.get('kept'), { instanceOf: StorageUnavailableError });
    await world.restart();
    await storageBack(a);
    t.is((await a.get('kept'))?.revision, revision);
    await a.update('kept', bytes('2'), revision);
    await a.delete('kept');
    await a.put('new', bytes('3'));
    await until(
      () => told.includes('new=3'),
      () => told,
    );
    await until(
      () => told.includes('kept=(deleted)'),
      () => told,
    );
    t.is(told.filter(line => line === 'kept=1').length, 1, 'what was told is not told again');
    t.is(told.filter(line => line === 'ready').length, 1);
  });

  test.serial(`bucket: in memory it is empty after a restart, and a watch says so (${name})`, async t => {
    const world = await start(t);
    const bus = await world.connect();
    const bucket = await bus.keyValue('fleeting', { memory: true });
    await bucket.put('k', bytes('1'));
    const { told } = await follow(bucket, '>');
    await until(() => told.includes('ready'));
    await world.crash();
    await until(() => !bus.connected);
    await world.restart();
    await until(() => bus.connected);
    await until(
      () => told.includes('k=(deleted)'),
      () => told,
    );
    await storageBack(bucket);
    t.is(await bucket.get('k'), undefined);
    await bucket.create('k', bytes('again'));
    await until(
      () => told.includes('k=again'),
      () => told,
    );
  });

  test.serial(`bucket: bad names and keys are programmer's errors (${name})`, async t => {
    const bus = await (await start(t)).connect();
    await t.throwsAsync(bus.keyValue('no good'), { instanceOf: TypeError });
    await t.throwsAsync(bus.objectStore('a.b'), { instanceOf: TypeError });
    const bucket = await bus.keyValue('things');
    for (const key of ['', '.a', 'a..b', 'a b', 'a.*', '>', 'ü']) {
      await t.throwsAsync(bucket.put(key, bytes('')), { instanceOf: TypeError }, key);
      await t.throwsAsync(bucket.get(key), { instanceOf: TypeError }, key);
    }
  });

  test.serial(`object store: 5 MB in, the same 5 MB out, replaced, listed, deleted (${name})`, async t => {
    const world = await start(t);
    const [a, b] = [await world.connect(), await world.connect()];
    const [mine, theirs] = [await a.objectStore('models'), await b.objectStore('models')];
    const model = Uint8Array.from({ length: 5_000_001 }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
    t.deepEqual(await theirs.list(), []);
    t.is(await theirs.get('m'), undefined);
    await mine.put('m', model);
    t.is(Buffer.compare((await theirs.get('m'))!, model), 0);
    t.deepEqual(await theirs.list(), [{ name: 'm', bytes: model.byteLength }]);
    await mine.put('a name / with ü.onnx', bytes('small'));
    await mine.put('empty', new Uint8Array(0));
    t.is(text(await theirs.get('a name / with ü.onnx')), 'small');
    t.is((await theirs.get('empty'))?.byteLength, 0);
    await theirs.put('m', bytes('replaced'));
    t.is(text(await mine.get('m')), 'replaced');
    t.true(await mine.has('m'));
    await theirs.delete('m');
    await theirs.delete('m');
    t.false(await mine.has('m'));
    t.is(await mine.get('m'), undefined);
    t.deepEqual((await mine.list()).map(object => object.name).sort(), ['a name / with ü.onnx', 'empty']);
  });

  test.serial(`object store: it lasts over a restart (${name})`, async t => {
    const world = await start(t);
    const bus = await world.connect();
    const store = await bus.objectStore('models');
    await store.put('m', bytes('content'));
    await world.crash();
    await t.throwsAsync(store.get('m'), { instanceOf: StorageUnavailableError });
    await world.restart();
    await until(() => bus.connected);
    await storageBack(await bus.keyValue('probe').catch(async () => bus.keyValue('probe')));
    t.is(text(await store.get('m')), 'content');
  });
}
