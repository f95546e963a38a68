import { createHash } from 'node:crypto';

/**
 * What a host loads is a *part*: a whole model, the prefix that several models share up to a cut, or what is left of one
 * model behind that prefix. Each has an id of its own, so that plans, orders, beats and profiles speak of parts as they do of
 * models. A cut is named by 12 hex digits of its hash ({@link hashOfCut}): equal cuts of different models have equal prefixes.
 *
 * | part | id |
 * |---|---|
 * | model | `<name>@<12 hex>` |
 * | prefix | `prefix/<cut>` |
 * | suffix | `<name>@<12 hex>/<cut>` |
 */
const PREFIX = 'prefix';

/** Beginning of the structural hash of a tensor, all that lies before it included: enough to tell the tensors of a graph apart. */
export const TENSOR_PATTERN = '^[0-9a-f]{16}$';
const TENSOR_DIGITS = 16;

/**
 * A cut is the set of tensors that cross it. A prefix gives all that any of its suffixes takes: of models that leave one trunk with other
 * tensors the cut that they share is through the tensors of all.
 * @param tensors hex digits of their structural hashes, at least 16
 * @returns 64 hex digits
 */
export function hashOfCut(tensors: Iterable<string>): string {
  const short = [...tensors].map(tensor => tensor.slice(0, TENSOR_DIGITS));
  return createHash('sha256')
    .update(['cut', ...short.toSorted()].join(' '))
    .digest('hex');
}

export const CUT_PATTERN = '^[0-9a-f]{12}$';

export const prefixId = (cut: string): string => `${PREFIX}/${cut}`;
export const suffixId = (model: string, cut: string): string => `${model}/${cut}`;

/** The cut that a part lies at; undefined for a whole model. */
export function cutOf(part: string): string | undefined {
  const at = part.indexOf('/');
  return at < 0 ? undefined : part.slice(at + 1);
}

export const isPrefix = (part: string): boolean => part.startsWith(`${PREFIX}/`);
export const isSuffix = (part: string): boolean => part.includes('/') && !isPrefix(part);

/** The model that a part answers for: itself, or that of the suffix. A prefix answers for none: its own id. */
export const modelOf = (part: string): string => (isSuffix(part) ? part.slice(0, part.indexOf('/')) : part);
