import { Packr } from 'msgpackr';

/** Any language can read it: no records, maps of variable size, undefined as nil. */
const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true });

/**
 * Plain data to msgpack. The only binary type is Uint8Array (a Buffer is one): msgpackr packs other views wrongly, with stale
 * bytes behind them, so the schemas admit no other. The answer is a buffer of its own.
 */
export const encode = (value: unknown): Uint8Array => packr.pack(value);

/** msgpack to plain data. Binary fields are views on `data`: copy what you keep. @throws Error on anything that isn't msgpack */
export const decode = (data: Uint8Array): unknown => packr.unpack(data);

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder('utf-8', { fatal: true });

/** JSON for people and shells; binary becomes base64 text. */
export const encodeJson = (value: unknown, indent?: number): Uint8Array => textEncoder.encode(toJson(value, indent));
export const toJson = (value: unknown, indent?: number): string =>
  JSON.stringify(
    value,
    (_key, v: unknown) => (isBinary(v) ? Buffer.from(v.buffer, v.byteOffset, v.byteLength).toString('base64') : v),
    indent,
  );
export const decodeJson = (data: Uint8Array): unknown => JSON.parse(textDecoder.decode(data));

function isBinary(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

/** A JSON object begins with `{`, which as msgpack would be the bare number 123: the two can be told apart. */
export const looksLikeJson = (data: Uint8Array): boolean => data[0] === 0x7b;
