import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { realClock } from '../../bus/index.ts';
import { until } from '../end-to-end/until.ts';
import { HELD_BYTES_MAX, startFaultProxy, type FaultProxy } from './fault-proxy.ts';
import { runs } from './properties.ts';

/** Somebody who sends everything back and remembers what came, behind a proxy. */
async function echoBehindProxy(t: ExecutionContext) {
  const heard: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', data => {
      heard.push(data);
      socket.write(data);
    });
  });
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
  const proxy = await startFaultProxy((server.address() as AddressInfo).port);
  t.teardown(async () => {
    await proxy.close();
    for (const socket of sockets) socket.destroy();
    await new Promise<void>(resolve => void server.close(() => resolve()));
  });
  return {
    proxy,
    heard: () => Buffer.concat(heard).toString('latin1'),
    say: (text: string) => [...sockets].at(-1)!.write(text),
  };
}

async function client(t: ExecutionContext, { port }: FaultProxy) {
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => void socket.destroy());
  const chunks: Buffer[] = [];
  let broken = false;
  socket.on('data', data => chunks.push(data));
  socket.on('error', () => {});
  socket.on('close', () => (broken = true));
  const back = (): string => Buffer.concat(chunks).toString('latin1');
  return { socket, back, broken: () => broken, send: (text: string) => socket.write(text, 'latin1') };
}

test('fault proxy: without a fault all bytes pass, in order, on each connection by itself', async t => {
  const { proxy } = await echoBehindProxy(t);
  const bytes = fc.string({ unit: 'binary-ascii', maxLength: 40_000 });
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 8 }), async texts => {
      const clients = await Promise.all(texts.map(() => client(t, proxy)));
      clients.forEach((one, i) => one.send(texts[i]!));
      await until('all came back', () => clients.every((one, i) => one.back().length >= texts[i]!.length));
      clients.forEach((one, i) => t.true(one.back() === texts[i]));
      for (const { socket } of clients) socket.destroy();
    }),
    runs(10),
  );
  await until('no connection is left', () => proxy.connections === 0);
});

test('fault proxy: cut one way: the other way works; what waited comes in order when it heals', async t => {
  const { proxy, heard, say } = await echoBehindProxy(t);
  const { send, back } = await client(t, proxy);
  send('one ');
  await until('it came back', () => back() === 'one ');
  proxy.cut('up');
  send('two ');
  await until('it stands at the cut', () => proxy.heldBytes === 4);
  say('news ');
  await until('the other way works', () => back() === 'one news ');
  send('three ');
  await until('it waits behind the first', () => proxy.heldBytes === 10);
  t.is(heard(), 'one ');
  proxy.heal();
  await until('all came', () => back() === 'one news two three ');
  proxy.cut('down');
  send('four ');
  await until('it was heard', () => heard().endsWith('four '));
  await until('the answer stands at the cut', () => proxy.heldBytes === 5);
  t.is(back(), 'one news two three ');
  proxy.heal();
  await until('the answer came', () => back().endsWith('four '));
});

test('fault proxy: what a cut holds is bounded: the sender has to wait', async t => {
  const { proxy, heard } = await echoBehindProxy(t);
  const { socket, send } = await client(t, proxy);
  proxy.cut('up');
  const length = 40 * 1024 * 1024;
  send('x'.repeat(length));
  await until('it is full', () => proxy.heldBytes >= HELD_BYTES_MAX);
  t.true(proxy.heldBytes < HELD_BYTES_MAX + 128 * 1024);
  t.true(socket.writableLength > 0);
  t.is(heard(), '');
  socket.destroy();
});

test('fault proxy: connections that are refused break at once, and can be made again when it heals', async t => {
  const { proxy } = await echoBehindProxy(t);
  const first = await client(t, proxy);
  first.send('x');
  await until('it came back', () => first.back() === 'x');
  proxy.refuse();
  await until('it broke', first.broken);
  const second = await client(t, proxy);
  second.send('y');
  await until('it is refused', second.broken);
  proxy.heal();
  const third = await client(t, proxy);
  third.send('z');
  await until('it came back', () => third.back() === 'z');
  t.deepEqual([first.back(), second.back()], ['x', '']);
});

test('fault proxy: latency and bandwidth are kept, by each way', async t => {
  const { proxy } = await echoBehindProxy(t);
  const { send, back } = await client(t, proxy);
  const took = async (text: string): Promise<number> => {
    const [from, fromMs] = [back().length, realClock.nowMs()];
    send(text);
    await until('it came back', () => back().length === from + text.length);
    return realClock.nowMs() - fromMs;
  };
  proxy.shape({ latencyMs: 100 });
  t.true((await took('x')) >= 200);
  proxy.heal();
  proxy.shape({ bytesPerS: 100_000 });
  t.true((await took('x'.repeat(50_000))) >= 500);
});
