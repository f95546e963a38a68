import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { connectNats, realClock, type NatsOptions } from '../../bus/index.ts';
import type { Bus } from '../../contracts/index.ts';
import { startNatsServer, type NatsServer } from '../../deploy/nats-server.ts';

export { natsServers, natsServerVersion } from '../../deploy/nats-server.ts';

export interface NatsTestServer {
  readonly url: string;
  /** Kills the process as a crash would: no drain, no goodbye. */
  crash(): Promise<void>;
  /** Starts it again on the same port with the same store; crashes it first if it runs. */
  restart(): Promise<void>;
  /** Freezes the process: connections stay open, nothing answers. Resolves when it stands still. */
  pause(): Promise<void>;
  resume(): void;
  /** A bus of its own, closed when the test ends. */
  connect(options?: Partial<NatsOptions>): Promise<Bus>;
}

/**
 * A real `nats-server` for one test: JetStream on, free port, a folder of its own. The server and every bus connected here
 * are gone when the test ends, pass or fail; of a failed test the server's log is shown.
 */
export async function startNats(
  t: ExecutionContext<any>,
  options: { binary?: string; args?: readonly string[] } = {},
): Promise<NatsTestServer> {
  const dir = await mkdtemp(join(tmpdir(), 'ganglion-nats-'));
  const start = async (port: number): Promise<NatsServer> => startNatsServer({ ...options, port, storeDir: dir });
  let server = await start(0);
  const { url, port } = server;
  let buses = 0;
  const crash = async (): Promise<void> => {
    server.signal('SIGKILL');
    await server.exited;
  };
  t.teardown(async () => {
    await crash();
    await rm(dir, { recursive: true, force: true });
    if (!t.passed) t.log(server.output());
  });
  return {
    url,
    crash,
    restart: async () => {
      await crash();
      server = await start(port);
    },
    pause: async () => {
      server.signal('SIGSTOP');
      while (!(await standsStill(server.pid)));
    },
    resume: () => server.signal('SIGCONT'),
    connect: async (more = {}) => {
      const bus = await connectNats({ servers: [url], name: `test-${buses++}`, clock: realClock, ...more });
      t.teardown(async () => bus.close());
      return bus;
    },
  };
}

/** Whether all threads of a process are stopped; a thread on another core goes on for a moment after the signal. Where /proc can't tell: yes. */
async function standsStill(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const states = await Promise.all(
    threads.map(async thread => {
      const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => '');
      // The name of the program, in brackets, may contain anything.
      return stat.slice(stat.lastIndexOf(')') + 2)[0] ?? 'T';
    }),
  );
  return states.every(state => state === 'T');
}
