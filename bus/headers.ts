import type { Headers } from '../contracts/index.ts';

/** Carries the id by which a journal knows repeated messages. */
export const MESSAGE_ID = 'Nats-Msg-Id';

/** What NATS's wire format can't carry in a header. @throws TypeError */
export function assertHeaders(headers: Headers): void {
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[\x21-\x39\x3b-\x7e]+$/.test(name)) throw new TypeError(`not a header name: ${JSON.stringify(name)}`);
    if (typeof value !== 'string' || /[\r\n]/.test(value)) {
      throw new TypeError(`header ${name}: the value must be text of one line, got ${JSON.stringify(value)}`);
    }
  }
}

/** Bytes that headers take on the wire; they count towards `max_payload`. */
export function headerBytes(headers: Headers): number {
  let bytes = 'NATS/1.0\r\n\r\n'.length;
  for (const [name, value] of Object.entries(headers))
    bytes += name.length + Buffer.byteLength(value) + ': \r\n'.length;
  return bytes;
}
