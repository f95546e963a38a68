import { isToken, validator, type Static, type TSchema, type Validator } from './schema.ts';

/** Names between braces in a pattern: `'frames.{tenant}.{stream}'` has `'tenant' | 'stream'`. */
export type ParamNames<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamNames<Rest>
  : never;
export type Params<P extends string> = { readonly [K in ParamNames<P>]: string };

/**
 * A subject of the bus as a value: its pattern below the configured prefix, what is said on it, and what is answered.
 * `Reply` is `never` for subjects on which nobody answers.
 */
export interface Subject<P extends string = string, M = unknown, R = unknown> {
  readonly pattern: P;
  /** Version of the message, its field `v`. */
  readonly version: number;
  readonly message: Validator<M>;
  readonly reply: Validator<R> | undefined;
  readonly description: string;
  readonly example: M;
  readonly replyExample: R | undefined;
  /** Part of the promise to people outside: documented, changed only with a new version. */
  readonly public: boolean;
  /** Alternative to msgpack for messages that are bare bytes, e.g. a JPEG on a frame's subject. */
  readonly bare:
    | ((data: Uint8Array, headers: Readonly<Record<string, string>> | undefined) => M | undefined)
    | undefined;
  /** The full subject. A missing parameter becomes the wildcard `*`, which only a subscriber may use. */
  at(prefix: string, params?: Partial<Params<P>>): string;
  /** The parameters of a concrete subject that matched. */
  paramsOf(prefix: string, subject: string): Params<P>;
}

interface SubjectOptions<M extends TSchema> {
  readonly description: string;
  readonly example: Static<M>;
  readonly version?: number;
  readonly public?: boolean;
  readonly bare?: (data: Uint8Array, headers: Readonly<Record<string, string>> | undefined) => Static<M> | undefined;
}

/** Declares a subject on which messages are published. */
export function subject<const P extends string, M extends TSchema>(
  pattern: P,
  message: M,
  options: SubjectOptions<M>,
): Subject<P, Static<M>, never> {
  return declare(pattern, message, undefined, options, undefined) as Subject<P, Static<M>, never>;
}

/** Declares a subject on which requests are answered. */
export function service<const P extends string, M extends TSchema, R extends TSchema>(
  pattern: P,
  message: M,
  reply: R,
  options: SubjectOptions<M> & { readonly replyExample: Static<R> },
): Subject<P, Static<M>, Static<R>> {
  return declare(pattern, message, reply, options, options.replyExample) as Subject<P, Static<M>, Static<R>>;
}

/** Full subjects that are kept, of each pattern: the same few thousand are wanted again and again. */
const TEXTS_MAX = 16_384;

/** Full subjects by their prefix and then by one parameter after the other. */
class Texts {
  text: string | undefined;
  readonly #next = new Map<string, Texts>();

  of(value: string): Texts {
    let next = this.#next.get(value);
    if (!next) this.#next.set(value, (next = new Texts()));
    return next;
  }
}

function declare(
  pattern: string,
  message: TSchema,
  reply: TSchema | undefined,
  options: SubjectOptions<TSchema>,
  replyExample: unknown,
): Subject {
  const tokens = pattern.split('.').map(token => {
    const name = /^\{(\w+)\}$/.exec(token)?.[1];
    return name === undefined ? { literal: token } : { name };
  });
  const names = tokens.flatMap(({ name }) => name ?? []);
  let texts = new Texts();
  let count = 0;
  const write = (prefix: string, params: Readonly<Record<string, string>>): string => {
    let text = prefix;
    for (const token of tokens) {
      const value = token.name === undefined ? token.literal : (params[token.name] ?? '*');
      if (token.name !== undefined && value !== '*' && !isToken(value)) {
        throw new TypeError(
          `${pattern}: {${token.name}} must be a name of A-Z a-z 0-9 _ -, got ${JSON.stringify(value)}`,
        );
      }
      text += `.${value}`;
    }
    return text;
  };
  return {
    pattern,
    version: options.version ?? 1,
    message: validator(message),
    reply: reply && validator(reply),
    description: options.description,
    example: options.example,
    replyExample,
    public: options.public ?? false,
    bare: options.bare,
    at: (prefix, params = {}) => {
      let known = texts.of(prefix);
      for (const name of names) known = known.of((params as Record<string, string>)[name] ?? '*');
      if (known.text !== undefined) return known.text;
      if (count++ >= TEXTS_MAX) {
        texts = new Texts();
        count = 0;
      }
      return (known.text = write(prefix, params));
    },
    paramsOf: (prefix, text) => {
      const values = text.slice(prefix.length + 1).split('.');
      const params: Record<string, string> = {};
      tokens.forEach((token, i) => {
        if (token.name !== undefined) params[token.name] = values[i] ?? '';
      });
      return params;
    },
  };
}

export type SubjectMap = { readonly [key: string]: Subject<any, any, any> };
export type MessageOf<S> = S extends Subject<any, infer M, any> ? M : never;
export type ReplyOf<S> = S extends Subject<any, any, infer R> ? R : never;
export type ParamsOf<S> = S extends Subject<infer P, any, any> ? Params<P> : never;
