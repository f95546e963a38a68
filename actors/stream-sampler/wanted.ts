import { decodeJson } from '../../bus/index.ts';
import { InvalidMessageError, isToken, StreamDocument, validator, type KeyValueEntry } from '../../contracts/index.ts';

const checkDocument = validator(StreamDocument);

/** A stream that somebody is to read. */
export interface Wanted {
  readonly tenant: string;
  readonly name: string;
  readonly document: StreamDocument;
  /** The document as text, for telling whether it changed. */
  readonly json: string;
}

/** `streams.<tenant>.<name>` → `<tenant>.<name>`. */
export const streamOf = (key: string): string => key.slice(key.indexOf('.') + 1);

/** The stream of an entry of the bucket `config`. @throws InvalidMessageError, SyntaxError when it isn't JSON */
export function wantedOf(entry: KeyValueEntry & { readonly value: Uint8Array }): Wanted {
  const where = `config/${entry.key}`;
  const [, tenant = '', name = '', ...more] = entry.key.split('.');
  if (more.length > 0 || !isToken(tenant) || !isToken(name))
    throw new InvalidMessageError({ where, path: '', detail: 'has a key that is not streams.<tenant>.<name>' });
  const document = checkDocument.check(decodeJson(entry.value), where);
  return { tenant, name, document, json: JSON.stringify(document) };
}
