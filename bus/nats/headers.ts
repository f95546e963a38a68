import { headers as newHeaders, type MsgHdrs } from 'nats';
import type { Headers } from '../../contracts/index.ts';
import { assertHeaders } from '../headers.ts';

/** @throws TypeError */
export function toMsgHdrs(headers: Headers): MsgHdrs {
  assertHeaders(headers);
  const result = newHeaders();
  for (const [name, value] of Object.entries(headers)) result.append(name, value);
  return result;
}

/** The first value of each; undefined when there are none. */
export function fromMsgHdrs(headers: MsgHdrs): Headers | undefined {
  const names = headers.keys();
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map(name => [name, headers.get(name)]));
}
