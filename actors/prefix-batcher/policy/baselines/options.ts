import { ConfigError } from '../../../../contracts/index.ts';
import type { PolicyOptions } from '../view.ts';

/** Reads one option; undefined: it isn't of this kind, which `kind` describes. */
interface OptionReader<T> {
  readonly kind: string;
  read(value: unknown): T | undefined;
}

type Read<R> = { readonly [K in keyof R]?: R[K] extends OptionReader<infer T> ? T : never };

export const numberOption = ({
  min,
  max = Infinity,
  integer = false,
}: {
  min: number;
  max?: number;
  integer?: boolean;
}): OptionReader<number> => ({
  kind: `${integer ? 'a whole number' : 'a number'} of at least ${min}${max < Infinity ? ` and at most ${max}` : ''}`,
  read: value =>
    typeof value === 'number' && value >= min && value <= max && (!integer || Number.isInteger(value))
      ? value
      : undefined,
});

export const choiceOption = <T extends string>(...choice: readonly T[]): OptionReader<T> => ({
  kind: choice.join(' or '),
  read: value => choice.find(one => one === value),
});

/** @throws ConfigError for one that the policy doesn't have, and for values that are none */
export function optionsOf<R extends Readonly<Record<string, OptionReader<unknown>>>>(
  policy: string,
  options: PolicyOptions = {},
  readers: R,
): Read<R> {
  const found: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
    const field = `policyOptions.${name}`;
    if (!reader) {
      const known = Object.keys(readers);
      const remedy = known.length > 0 ? `it has: ${known.join(', ')}` : 'leave it out';
      throw new ConfigError(`the policy "${policy}" has no such option`, { field, remedy });
    }
    found[name] = reader.read(value);
    if (found[name] === undefined) throw new ConfigError(`must be ${reader.kind}`, { field });
  }
  return found as Read<R>;
}
