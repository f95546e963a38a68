/**
 * What a host loads is a *part*: a whole model, the prefix that several models share up to a cut, or what is left of one
 * model behind that prefix. Each has an id of its own, so that plans, orders, beats and profiles speak of parts as they do of
 * models. A cut is named by 12 hex digits of its structural hash: equal cuts of different models have equal prefixes.
 *
 * | part | id |
 * |---|---|
 * | model | `<name>@<12 hex>` |
 * | prefix | `prefix/<cut>` |
 * | suffix | `<name>@<12 hex>/<cut>` |
 */
const PREFIX = 'prefix';

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
