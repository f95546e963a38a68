import type { Headers } from '../../contracts/index.ts';
import { encode } from '../codec.ts';

/** What one publish sends to all its receivers: bytes, or a value that is encoded only where somebody wants bytes. */
export interface Letter {
  readonly subject: string;
  readonly headers: Headers | undefined;
  readonly reply: string | undefined;
  /** Undefined when bytes were published. */
  readonly value: unknown;
  readonly data: Uint8Array;
  /** Size of the data: of a value an estimate. */
  readonly bytes: number;
}

/** A value under way. */
export class ValueLetter implements Letter {
  readonly subject: string;
  readonly headers = undefined;
  readonly reply = undefined;
  readonly value: unknown;
  readonly bytes: number;
  #data: Uint8Array | undefined;

  constructor(subject: string, value: unknown, bytes: number) {
    this.subject = subject;
    this.value = value;
    this.bytes = bytes;
  }

  get data(): Uint8Array {
    return (this.#data ??= encode(this.value));
  }
}

const NUMBER_BYTES = 5;
const HEAD_BYTES = 3;

/** About what the value takes as msgpack. The entries of a list are taken to be alike. */
export function weigh(value: unknown): number {
  if (typeof value === 'string') return HEAD_BYTES + value.length;
  if (typeof value !== 'object' || value === null) return NUMBER_BYTES;
  if (value instanceof Uint8Array) return HEAD_BYTES + value.byteLength;
  if (Array.isArray(value)) return HEAD_BYTES + (value.length === 0 ? 0 : value.length * weigh(value[0]));
  let bytes = HEAD_BYTES;
  for (const name in value) bytes += name.length + 1 + weigh((value as Record<string, unknown>)[name]);
  return bytes;
}
