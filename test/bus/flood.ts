import { workerData } from 'node:worker_threads';
import { connectNats, realClock } from '../../bus/index.ts';

/** Worker of nats.test.ts: publishes as fast as the server takes it, then says so in `done`. */
const { url, subject, messages, bytes, done } = workerData as {
  url: string;
  subject: string;
  messages: number;
  bytes: number;
  done: Int32Array;
};
const bus = await connectNats({ servers: [url], name: 'flood', clock: realClock });
for (let i = 0; i < messages; i++) {
  bus.publish(subject, new Uint8Array(bytes));
  if (i % 10 === 9) await bus.flush();
}
await bus.drain();
Atomics.store(done, 0, 1);
Atomics.notify(done, 0);
