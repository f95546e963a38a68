import { ErrorCode, NatsError } from 'nats';
import {
  ConfigError,
  ConflictError,
  describeError,
  DisconnectedError,
  GanglionError,
  NoResponderError,
  RequestTimeoutError,
  StorageUnavailableError,
} from '../../contracts/index.ts';

/** JetStream's own error numbers that mean something to us (server/errors.json). */
const WRONG_LAST_REVISION = 10_071;
const STREAM_NOT_FOUND = 10_059;
const STREAM_NAME_IN_USE = 10_058;
const SUBJECTS_OVERLAP = 10_065;
const CONSUMER_NOT_FOUND = 10_014;
/** The server's limit, the account's, the account's for memory, and a stream that could not write. */
const NO_ROOM: ReadonlySet<number | undefined> = new Set([10_023, 10_047, 10_028, 10_077]);

const codeOf = (error: unknown): string | undefined => (error instanceof NatsError ? error.code : undefined);
const apiCodeOf = (error: unknown): number | undefined =>
  error instanceof NatsError ? error.api_error?.err_code : undefined;

const TLS_CODE: string = ErrorCode.Tls;
const NOT_FOUND_CODE: string = ErrorCode.JetStream404NoMessages;
const LOGIN_CODES: ReadonlySet<string> = new Set([
  ErrorCode.AuthorizationViolation,
  ErrorCode.BadAuthentication,
  ErrorCode.BadCreds,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AccountExpired,
]);

/** Why a connection couldn't be made, with what to do about it. */
export function connectFailure(error: unknown, servers: readonly string[]): GanglionError {
  const code = codeOf(error) ?? '';
  const where = servers.join(', ');
  const options = { cause: error };
  if (LOGIN_CODES.has(code)) {
    return new ConfigError(
      `NATS at ${where} refused the login (${describeError(error)})`,
      { remedy: 'check user and password, token or credentials file against the server configuration' },
      options,
    );
  }
  if (code === TLS_CODE) {
    return new ConfigError(
      `no secure connection to NATS at ${where} (${describeError(error)})`,
      { remedy: "check the TLS files and that the server's name is the one in its certificate" },
      options,
    );
  }
  return new DisconnectedError(
    `no NATS server at ${where} (${describeError(error)}); start one with: nats-server -js, or name another`,
    options,
  );
}

export function requestFailure(error: unknown, subject: string, timeoutMs: number): unknown {
  switch (codeOf(error)) {
    case ErrorCode.NoResponders:
      return new NoResponderError(subject);
    case ErrorCode.Timeout:
      return new RequestTimeoutError(subject, timeoutMs);
    default:
      return connectionFailure(error, `request on ${subject}`);
  }
}

/** What went wrong with a call that needs the connection, in our terms. */
export function connectionFailure(error: unknown, what: string): unknown {
  switch (codeOf(error)) {
    case ErrorCode.ConnectionClosed:
    case ErrorCode.ConnectionDraining:
    case ErrorCode.Disconnect:
      return new DisconnectedError(`${what}: the connection to NATS is gone`, { cause: error });
    case ErrorCode.PermissionsViolation:
      return new ConfigError(`${what}: ${describeError(error)}`, { remedy: "grant it in the server's configuration" });
    default:
      return error;
  }
}

/** As {@link storageFailure}, for a journal. */
export const journalFailure = (error: unknown, journal: string, what: string): unknown =>
  isSubjectTaken(error) ? error : storageFailure(error, `journal ${journal}`, what);

export function storageFailure(error: unknown, bucket: string, what: string): unknown {
  if (error instanceof DisconnectedError) {
    return new StorageUnavailableError(`${bucket}, ${what}: the connection to NATS is gone`, { cause: error });
  }
  if (error instanceof GanglionError || error instanceof TypeError) return error;
  if (apiCodeOf(error) === WRONG_LAST_REVISION) return new ConflictError(bucket, what, { cause: error });
  return new StorageUnavailableError(`${bucket}, ${what}: ${reasonOf(error)}`, { cause: error });
}

function reasonOf(error: unknown): string {
  if (isUnanswered(error))
    return 'JetStream does not answer; is nats-server running with -js? One whose disk is full turns it off until it is started again';
  const { description } = (error instanceof NatsError && error.api_error) || {};
  if (description === undefined) return describeError(error);
  return NO_ROOM.has(apiCodeOf(error))
    ? `JetStream has no room (${description}); raise its max_file_store, or delete what is not needed`
    : description;
}

/** Nobody is there. JetStream's own answers can have the same number, and then say more. */
const isUnanswered = (error: unknown): boolean =>
  codeOf(error) === ErrorCode.NoResponders && apiCodeOf(error) === undefined;

/** The stream behind a bucket is gone: an operation on it finds nobody, or says so. Nothing was written then. */
export const isBucketGone = (error: unknown): boolean => apiCodeOf(error) === STREAM_NOT_FOUND || isUnanswered(error);

/** Nothing was stored: there is no such stream (any more). */
export const isStreamGone = (error: unknown): boolean => isBucketGone(error);

export const isConsumerGone = (error: unknown): boolean => apiCodeOf(error) === CONSUMER_NOT_FOUND;

/** Another stream stores what this one was to store. */
export const isSubjectTaken = (error: unknown): boolean => apiCodeOf(error) === SUBJECTS_OVERLAP;

/** Another client made the same bucket at this moment, with other settings. */
export const isBucketTaken = (error: unknown): boolean => apiCodeOf(error) === STREAM_NAME_IN_USE;

/** No message under that key or name. */
export const isNotFound = (error: unknown): boolean => codeOf(error) === NOT_FOUND_CODE;
