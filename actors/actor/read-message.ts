import { decode, decodeJson, looksLikeJson } from '../../bus/index.ts';
import {
  checkVersion,
  describeError,
  GanglionError,
  InvalidMessageError,
  type BusMessage,
  type Subject,
} from '../../contracts/index.ts';

/**
 * A message as it came, in whatever form: bare, msgpack or JSON; or the error that says why it isn't one. A value comes from
 * {@link ActorContext.publish} in this same process, where the compiler has checked it.
 */
export function readMessage<M>(
  subject: Subject<string, M, any>,
  packet: Pick<BusMessage, 'subject' | 'data' | 'value' | 'headers'>,
): M | GanglionError {
  if (packet.value !== undefined) return packet.value as M;
  const where = packet.subject;
  try {
    const message = contentOf(subject, packet);
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

function contentOf(subject: Subject, { data, headers }: Pick<BusMessage, 'data' | 'headers'>): unknown {
  const bare = subject.bare?.(data, headers);
  if (bare !== undefined) return bare;
  return looksLikeJson(data) ? decodeJson(data) : decode(data);
}
