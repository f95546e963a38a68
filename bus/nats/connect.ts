import { readFileSync } from 'node:fs';
import { connect, credsAuthenticator, type ConnectionOptions, type NatsConnection } from 'nats';
import { ConfigError, describeError, sleep, silentLog, type Bus, type Clock, type Log } from '../../contracts/index.ts';
import { NatsBus } from './client.ts';
import { connectFailure } from './errors.ts';

export interface NatsOptions {
  /** URLs like `nats://127.0.0.1:4222`; the others are tried when one fails. */
  readonly servers: readonly string[];
  /** Shown by the server's monitoring. */
  readonly name: string;
  readonly clock: Clock;
  readonly log?: Log;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** Path of a credentials file (`nsc`). */
  readonly credsFile?: string;
  /** Paths of PEM files. An empty object asks for TLS with the system's authorities. */
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
  /** Subjects of replies begin with it. Give each user one of its own: who may read `_INBOX.>` reads everybody's replies. */
  readonly inboxPrefix?: string;
  /** How long to wait for a server that isn't there yet. Default 0: fail at once. `Infinity` waits for ever. */
  readonly waitMs?: number;
  /** Bound on one operation on a bucket. Default 5 s. */
  readonly storageTimeoutMs?: number;
  /** How often the connection is probed; after two silent probes it counts as lost. Default 5 s. */
  readonly pingMs?: number;
}

/** JetStream buckets as used here need it; also the version that Debian 12 ships. */
const SERVER_MIN = [2, 9] as const;
const DIAL_TIMEOUT_MS = 5_000;
const DIAL_AGAIN_MS = 500;
const RECONNECT_WAIT_MS = 250;

/**
 * Connects to NATS. Once connected it stays: a connection that is lost is sought again without end, see {@link Bus.onStatus}.
 * @throws DisconnectedError when no server answers within `waitMs`, ConfigError when it refuses the login or a file can't be read
 */
export async function connectNats(options: NatsOptions): Promise<Bus> {
  const { clock, log = silentLog, servers, waitMs = 0 } = options;
  const connection = connectionOptions(options);
  const deadlineMs = clock.nowMs() + waitMs;
  for (let told = false; ; told = true) {
    try {
      const nc = await connect(connection);
      warnOfOldServer(nc, log);
      const { name, storageTimeoutMs = 5_000, inboxPrefix = '_INBOX' } = options;
      return new NatsBus(nc, { clock, log, name, storageTimeoutMs, inboxPrefix });
    } catch (error) {
      const failure = connectFailure(error, servers);
      if (failure instanceof ConfigError || clock.nowMs() + DIAL_AGAIN_MS > deadlineMs) throw failure;
      if (!told) log.warn('waiting for NATS', { servers, error: describeError(failure) });
      await sleep(clock, DIAL_AGAIN_MS);
    }
  }
}

function connectionOptions(options: NatsOptions): ConnectionOptions {
  const { user, password, token, credsFile, tls, inboxPrefix } = options;
  return {
    servers: [...options.servers],
    name: options.name,
    noAsyncTraces: true,
    maxReconnectAttempts: -1,
    // A server whose accounts are being reloaded refuses logins for a while; giving up for good would need a restart here.
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_WAIT_MS,
    timeout: DIAL_TIMEOUT_MS,
    pingInterval: options.pingMs ?? 5_000,
    maxPingOut: 2,
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { pass: password }),
    ...(token === undefined ? {} : { token }),
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
    ...(credsFile === undefined ? {} : { authenticator: credsAuthenticator(readCredentials(credsFile)) }),
    ...(tls === undefined ? {} : { tls }),
  };
}

function readCredentials(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigError(
      `the credentials file can't be read: ${describeError(error)}`,
      { file: path, remedy: 'name the file that nsc wrote for this user' },
      { cause: error },
    );
  }
}

function warnOfOldServer(nc: NatsConnection, log: Log): void {
  const version = nc.info?.version ?? '0.0.0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > SERVER_MIN[0] || (major === SERVER_MIN[0] && minor >= SERVER_MIN[1])) return;
  log.warn(`nats-server ${version} is older than ${SERVER_MIN.join('.')}, the oldest that Ganglion is tested with`, {
    server: nc.getServer(),
  });
}
