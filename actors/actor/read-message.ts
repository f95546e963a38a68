import { decode, decodeJson, looksLikeJson } from '../../bus/index.ts';
import {
  checkVersion,
  describeError,
  GanglionError,
  InvalidMessageError,
  type Headers,
  type Subject,
} from '../../contracts/index.ts';

/** A message as it came, in whatever form: bare, msgpack or JSON; or the error that says why it isn't one. */
export function readMessage<M>(
  subject: Subject<string, M, any>,
  packet: { readonly subject: string; readonly data: Uint8Array; readonly headers: Headers | undefined },
): M | GanglionError {
  const where = packet.subject;
  try {
    const bare = subject.bare?.(packet.data, packet.headers);
    if (bare !== undefined) return subject.message.check(bare, where);
    const message = looksLikeJson(packet.data) ? decodeJson(packet.data) : decode(packet.data);
    if (subject.message.accepts(message)) return message;
    checkVersion(message, subject.version, where);
    return subject.message.check(message, where);
  } catch (error) {
    if (error instanceof GanglionError) return error;
    return new InvalidMessageError(
      { where, path: '', detail: `is not msgpack: ${describeError(error)}` },
      { cause: error },
    );
  }
}
