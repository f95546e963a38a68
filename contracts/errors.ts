/**
 * Operating errors: named, with facts as fields, and saying whether trying again can help.
 * Programmers' errors are plain assertions and crash. A dropped request is not an error but an outcome (messages/result.ts).
 */
export abstract class GanglionError extends Error {
  /** Stable, for programs: `kebab-case`. */
  abstract readonly code: string;
  /** Whether the same call can succeed later with nothing changed by the caller. */
  abstract readonly retryable: boolean;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A message doesn't fit its schema. `where` is a subject, bucket or file; `path` a JSON pointer into the message. */
export class InvalidMessageError extends GanglionError {
  readonly code = 'invalid-message';
  readonly retryable = false;
  readonly where: string;
  readonly path: string;
  readonly detail: string;
  constructor(facts: { where: string; path: string; detail: string }, options?: ErrorOptions) {
    super(`${facts.where}: ${facts.path || 'the message'} ${facts.detail}`, options);
    this.where = facts.where;
    this.path = facts.path;
    this.detail = facts.detail;
  }
}

/** The sender speaks a version of the message that this side can't read. */
export class UnsupportedVersionError extends GanglionError {
  readonly code = 'unsupported-version';
  readonly retryable = false;
  readonly where: string;
  readonly got: unknown;
  readonly supported: number;
  constructor(facts: { where: string; got: unknown; supported: number }) {
    super(
      `${facts.where}: version ${String(facts.got)} is not understood here, this side speaks version ${facts.supported}`,
    );
    this.where = facts.where;
    this.got = facts.got;
    this.supported = facts.supported;
  }
}

/** Larger than the server's `max_payload` or a limit of ours. */
export class PayloadTooLargeError extends GanglionError {
  readonly code = 'payload-too-large';
  readonly retryable = false;
  readonly where: string;
  readonly bytes: number;
  readonly maxBytes: number;
  constructor(facts: { where: string; bytes: number; maxBytes: number }) {
    super(
      `${facts.where}: ${facts.bytes} bytes exceed the limit of ${facts.maxBytes}; send smaller pictures or raise the server's max_payload`,
    );
    this.where = facts.where;
    this.bytes = facts.bytes;
    this.maxBytes = facts.maxBytes;
  }
}

/** A request found nobody listening. */
export class NoResponderError extends GanglionError {
  readonly code = 'no-responder';
  readonly retryable = true;
  readonly subject: string;
  constructor(subject: string) {
    super(`nobody answers on ${subject}; is the actor that serves it running?`);
    this.subject = subject;
  }
}

/** No answer within the time allowed. Whether the other side acted is unknown. */
export class RequestTimeoutError extends GanglionError {
  readonly code = 'request-timeout';
  readonly retryable = true;
  readonly subject: string;
  readonly timeoutMs: number;
  constructor(subject: string, timeoutMs: number) {
    super(`no answer on ${subject} within ${timeoutMs} ms`);
    this.subject = subject;
    this.timeoutMs = timeoutMs;
  }
}

/** The bus is not connected, or was closed. */
export class DisconnectedError extends GanglionError {
  readonly code = 'disconnected';
  readonly retryable = true;
}

/** The other side answered a request with an error. */
export class RemoteError extends GanglionError {
  readonly code = 'remote';
  readonly retryable: boolean;
  readonly subject: string;
  /** The {@link GanglionError.code} on the other side. */
  readonly remoteCode: string;
  constructor(facts: { subject: string; remoteCode: string; detail: string; retryable: boolean }) {
    super(facts.detail);
    this.subject = facts.subject;
    this.remoteCode = facts.remoteCode;
    this.retryable = facts.retryable;
  }
}

/** A compare-and-set lost: the key has another revision than expected. */
export class ConflictError extends GanglionError {
  readonly code = 'conflict';
  readonly retryable = true;
  readonly bucket: string;
  readonly key: string;
  constructor(bucket: string, key: string, options?: ErrorOptions) {
    super(`${bucket}/${key} was changed by another writer`, options);
    this.bucket = bucket;
    this.key = key;
  }
}

/** Persistence (JetStream) is off, full or not answering. */
export class StorageUnavailableError extends GanglionError {
  readonly code = 'storage-unavailable';
  readonly retryable = true;
}

/** A named thing doesn't exist. */
export class NotFoundError extends GanglionError {
  readonly code = 'not-found';
  readonly retryable = false;
  readonly what: string;
  constructor(what: string, remedy?: string) {
    super(`${what} does not exist${remedy ? `; ${remedy}` : ''}`);
    this.what = what;
  }
}

/** A file or flag of the user's is wrong. Says where, what and the remedy. */
export class ConfigError extends GanglionError {
  readonly code = 'config';
  readonly retryable = false;
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly field: string | undefined;
  readonly remedy: string | undefined;
  constructor(
    detail: string,
    facts: {
      file?: string | undefined;
      line?: number | undefined;
      field?: string | undefined;
      remedy?: string | undefined;
    } = {},
    options?: ErrorOptions,
  ) {
    const place = [facts.file, facts.line].filter(part => part !== undefined).join(':');
    const field = facts.field ? `${facts.field}: ` : '';
    super(`${place ? `${place}: ` : ''}${field}${detail}${facts.remedy ? `\n  ${facts.remedy}` : ''}`, options);
    this.file = facts.file;
    this.line = facts.line;
    this.field = facts.field;
    this.remedy = facts.remedy;
  }
}

/** A model can't be loaded or run: corrupt file, wrong tensor names, provider failure. */
export class ModelError extends GanglionError {
  readonly code = 'model';
  readonly retryable = false;
  readonly model: string;
  constructor(model: string, detail: string, options?: ErrorOptions) {
    super(`model ${model}: ${detail}`, options);
    this.model = model;
  }
}

/** One input can't be used: truncated JPEG, wrong size, wrong tensor type. */
export class InputError extends GanglionError {
  readonly code = 'input';
  readonly retryable = false;
}

/** No profile of this model on this kind of device: measure it with `ganglion profile`. */
export class ProfileMissingError extends GanglionError {
  readonly code = 'profile-missing';
  readonly retryable = false;
  readonly model: string;
  readonly device: string;
  constructor(model: string, device: string) {
    super(`no profile of model ${model} on device ${device}; measure one with: ganglion profile ${model}`);
    this.model = model;
    this.device = device;
  }
}

/** None of the execution providers asked for could be opened, or the device is gone. */
export class DeviceError extends GanglionError {
  readonly code = 'device';
  readonly retryable = false;
}

/** A video source can't be opened or broke. */
export class SourceError extends GanglionError {
  readonly code = 'source';
  readonly retryable = true;
}

/** An order or a request was understood and refused; the reason says why. */
export class RefusedError extends GanglionError {
  readonly code = 'refused';
  readonly retryable = false;
}

/** A policy of a user's failed, or decided what can't be done. */
export class PolicyError extends GanglionError {
  readonly code = 'policy';
  readonly retryable = false;
  readonly policy: string;
  constructor(policy: string, detail: string, options?: ErrorOptions) {
    super(`policy "${policy}": ${detail}`, options);
    this.policy = policy;
  }
}

/** The one-line form of anything thrown, for logs and messages. */
export const describeError = (error: unknown): string => (error instanceof Error ? error.message : String(error));
