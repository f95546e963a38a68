import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { startNatsServer, type NatsServer } from '../../deploy/nats-server.ts';
import type { Cleanup } from './cleanup.ts';

/** A nats-server that can be stopped and started again on its port with its store. */
export interface Server {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
  /** Ends it as a crash would. */
  crash(): Promise<void>;
  startAgain(): Promise<void>;
}

export async function startServer(
  cleanup: Cleanup,
  options: { config?: string; port?: number; storeDir?: string } = {},
): Promise<Server> {
  const folder = await cleanup.folder();
  const args: string[] = [];
  if (options.config !== undefined) {
    const file = join(folder, 'nats.conf');
    await writeFile(file, options.config);
    args.push('-c', file);
  }
  const start = (port: number): Promise<NatsServer> =>
    startNatsServer({ port, storeDir: options.storeDir ?? join(folder, 'store'), args });
  let server = await start(options.port ?? 0);
  const { url, port } = server;
  cleanup.add(() => server.stop());
  return {
    url,
    port,
    stop: () => server.stop(),
    crash: async () => {
      server.signal('SIGKILL');
      await server.exited;
    },
    startAgain: async () => {
      server = await start(port);
    },
  };
}

/** A connection as any client has it, with nothing of ours in between. */
export async function plainClient(cleanup: Cleanup, url: string): Promise<NatsConnection> {
  const nc = await connect({ servers: url, maxReconnectAttempts: -1 });
  cleanup.add(() => nc.close());
  return nc;
}
