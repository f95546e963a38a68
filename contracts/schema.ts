import Type, { type Static, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { InvalidMessageError, UnsupportedVersionError } from './errors.ts';

export type { Static, TSchema };
export { Type };

/** Binary data: a Uint8Array here, msgpack `bin` on the wire. */
export const Bytes = (options: { maxLength?: number; description?: string } = {}) => {
  const { maxLength, ...annotations } = options;
  return Type.Refine(
    Type.Unsafe<Uint8Array>({ format: 'binary', ...(maxLength === undefined ? {} : { maxLength }), ...annotations }),
    value => value instanceof Uint8Array && (maxLength === undefined || value.byteLength <= maxLength),
    () => (maxLength === undefined ? 'must be binary' : `must be binary of at most ${maxLength} bytes`),
  );
};

/** One token of a subject: names of tenants, streams, queries, models, hosts. */
export const TOKEN_PATTERN = '^[A-Za-z0-9_-]{1,64}$';
const TOKEN = new RegExp(TOKEN_PATTERN);
export const isToken = (text: string): boolean => TOKEN.test(text);

export const Token = (description: string) => Type.String({ pattern: TOKEN_PATTERN, description });
/** A non-negative, finite number of milliseconds. */
export const Ms = (description: string) => Type.Number({ minimum: 0, description });
export const Count = (description: string, maximum = Number.MAX_SAFE_INTEGER) =>
  Type.Integer({ minimum: 0, maximum, description });
/** Requests per second. */
export const RateHz = (description: string) => Type.Number({ minimum: 0, description });
export const ByteCount = (description: string) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });
export const OneOf = <const T extends readonly string[]>(values: T, description?: string) =>
  Type.Unsafe<T[number]>(Type.Enum([...values], description === undefined ? {} : { description }));

/** A compiled schema: checking 6 fields costs about 25 ns. */
export interface Validator<T> {
  readonly schema: TSchema;
  accepts(value: unknown): value is T;
  /** The value itself, typed. @throws InvalidMessageError naming the first field that doesn't fit. */
  check(value: unknown, where: string): T;
  /** Every misfit, as JSON pointer and sentence. Empty when the value fits. */
  problems(value: unknown): { path: string; detail: string }[];
}

/** Of schemas: many actors of one kind share that of their configuration. */
const compiled = new WeakMap<TSchema, ReturnType<typeof Compile>>();

function compiledOf(schema: TSchema): ReturnType<typeof Compile> {
  let known = compiled.get(schema);
  if (!known) compiled.set(schema, (known = Compile(schema)));
  return known;
}

/** Compiled on first use. */
export function validator<S extends TSchema>(schema: S): Validator<Static<S>> {
  let own: ReturnType<typeof Compile> | undefined;
  const compile = () => (own ??= compiledOf(schema));
  const problems = (value: unknown) => compile().Errors(value).map(describeProblem);
  return {
    schema,
    accepts: (value): value is Static<S> => compile().Check(value),
    check: (value, where) => {
      if (compile().Check(value)) return value as Static<S>;
      const first = problems(value)[0] ?? { path: '', detail: 'is not valid' };
      throw new InvalidMessageError({ where, ...first });
    },
    problems,
  };
}

interface RawProblem {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

function describeProblem(problem: RawProblem): { path: string; detail: string } {
  const params = problem.params as Record<string, unknown>;
  if (problem.keyword === 'required') {
    const missing = (params['requiredProperties'] as string[] | undefined) ?? [];
    return {
      path: problem.instancePath,
      detail: `lacks ${missing.map(name => `"${name}"`).join(', ') || 'a required field'}`,
    };
  }
  if (problem.keyword === 'const')
    return { path: problem.instancePath, detail: `must be ${JSON.stringify(params['allowedValue'])}` };
  if (problem.keyword === 'enum') {
    return {
      path: problem.instancePath,
      detail: `must be one of ${((params['allowedValues'] as unknown[]) ?? []).join(', ')}`,
    };
  }
  if (problem.keyword === 'additionalProperties') {
    const names = (params['additionalProperties'] as string[] | undefined) ?? [];
    return {
      path: problem.instancePath,
      detail: `has unknown ${names.length === 1 ? 'field' : 'fields'} ${names.map(name => `"${name}"`).join(', ')}`,
    };
  }
  return { path: problem.instancePath, detail: problem.message };
}

/** Refuses by name a message whose `v` isn't `version`; anything else about it is the schema's business. @throws UnsupportedVersionError */
export function checkVersion(message: unknown, version: number, where: string): void {
  const got = (message as { v?: unknown } | null)?.v;
  if (typeof got === 'number' && got !== version) throw new UnsupportedVersionError({ where, got, supported: version });
}
