import { connectNats, realClock } from '../bus/index.ts';
import { ConfigError, describeError, DisconnectedError, sleep, type Bus, type Log } from '../contracts/index.ts';

const DEFAULT_NATS_URL = 'nats://127.0.0.1:4222';

/** Where NATS is: the flag, else GANGLION_NATS, else the local default. */
export const natsUrl = (flag: string | undefined, env: Readonly<Record<string, string | undefined>>): string =>
  flag ?? (env['GANGLION_NATS'] || DEFAULT_NATS_URL);

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 5_000;

/**
 * GANGLION_CREDS names the credentials file of a server that asks for one.
 * @throws DisconnectedError saying where and why, and what to do; ConfigError when the login is refused
 */
export async function openBus(options: { url: string; name: string; log?: Log }): Promise<Bus> {
  const { url, name, log } = options;
  const credsFile = process.env['GANGLION_CREDS'];
  const optional = { ...(log ? { log } : {}), ...(credsFile ? { credsFile } : {}) };
  try {
    return await connectNats({ servers: url.split(','), name, clock: realClock, ...optional });
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new DisconnectedError(
      `no NATS at ${url} (${reasonOf(error)})\n  start a cluster with: ganglion up CLUSTER.yaml\n  or name a running server with --nats URL or GANGLION_NATS`,
      { cause: error },
    );
  }
}

/** Tries until there is a server, saying what it waits for; never ends by itself. */
export async function awaitBus(
  options: { url: string; name: string; log: Log },
  stillWanted: () => boolean,
): Promise<Bus | undefined> {
  let waitMs = FIRST_RETRY_MS;
  while (stillWanted()) {
    try {
      return await openBus(options);
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      const reason = error instanceof DisconnectedError ? reasonOf(error.cause) : describeError(error);
      options.log.warn(`waiting for NATS at ${options.url}`, { reason, retryInMs: waitMs });
    }
    await sleep(realClock, waitMs);
    waitMs = Math.min(LONGEST_RETRY_MS, waitMs * 2);
  }
  return undefined;
}

function reasonOf(error: unknown): string {
  const text = describeError(error);
  return /CONNECTION_REFUSED|ECONNREFUSED/.test(text) ? 'connection refused' : text;
}
