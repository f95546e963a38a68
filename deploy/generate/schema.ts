import type { TSchema } from '../../contracts/index.ts';
import type { JsonSchema } from '../documents/index.ts';

/** A schema as plain JSON Schema; binary becomes base64 text, as in JSON on the bus. */
export const plainSchema = (schema: TSchema): JsonSchema => plain(JSON.parse(JSON.stringify(schema))) as JsonSchema;

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const { format, maxLength, ...rest } = value as { format?: unknown; maxLength?: unknown };
  if (format === 'binary' && !('type' in rest)) {
    const size = typeof maxLength === 'number' ? ` of at most ${maxLength} bytes` : '';
    const about = 'description' in rest ? `${String(rest.description)}; ` : '';
    return {
      type: 'string',
      contentEncoding: 'base64',
      description: `${about}binary${size}; msgpack bin`,
    };
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

/** One field of a message, flattened: `queries[].p99Ms`. */
export interface FieldRow {
  readonly field: string;
  readonly type: string;
  readonly optional: boolean;
  readonly description: string;
}

/** Every field of a schema; branches of a union one after the other, each named by its constant field. */
export function fieldsOf(schema: JsonSchema): FieldRow[] {
  const rows: FieldRow[] = [];
  walk(schema, '', rows, 0);
  return rows;
}

const DEPTH_MAX = 5;

function walk(schema: JsonSchema, at: string, rows: FieldRow[], depth: number): void {
  if (depth > DEPTH_MAX) return;
  if (schema.anyOf && schema.anyOf.some(branch => branch.properties)) {
    for (const branch of schema.anyOf) {
      const label = labelOf(branch);
      walk(branch, label === undefined ? at : `${at}‹${label}›`, rows, depth + 1);
    }
    return;
  }
  if (schema.type === 'array' && schema.items) return walk(schema.items, `${at}[]`, rows, depth);
  const [anyName] = Object.values(schema.patternProperties ?? {});
  if (anyName) return walk(anyName, `${at}.*`, rows, depth + 1);
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const here = at === '' ? name : `${at}.${name}`;
    const optional = !schema.required?.includes(name);
    rows.push({ field: here, type: typeOf(field), optional, description: describe(field) });
    walk(field, here, rows, depth + 1);
  }
}

/** What tells a branch of a union from the others: `kind: text`. */
function labelOf(branch: JsonSchema): string | undefined {
  const found = Object.entries(branch.properties ?? {}).find(
    ([name, field]) => field.const !== undefined && name !== 'v',
  );
  return found === undefined ? undefined : `${found[0]}: ${String(found[1].const)}`;
}

function typeOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map(value => JSON.stringify(value)).join(' \\| ');
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(' \\| ');
  if (schema.type === 'array') return schema.items ? `${typeOf(schema.items)}[]` : 'list';
  if ('contentEncoding' in schema) return 'binary';
  if (schema.patternProperties) return 'map';
  return schema.type ?? 'anything';
}

function describe(schema: JsonSchema): string {
  const bounds = [
    schema.exclusiveMinimum === undefined ? undefined : `> ${schema.exclusiveMinimum}`,
    schema.minimum === undefined || schema.minimum === 0 ? undefined : `≥ ${schema.minimum}`,
    schema.maximum === undefined || schema.maximum >= 2 ** 31 ? undefined : `≤ ${schema.maximum}`,
    schema.maxItems === undefined ? undefined : `at most ${schema.maxItems}`,
    schema.maxLength === undefined ? undefined : `at most ${schema.maxLength} characters`,
    schema.default === undefined ? undefined : `default ${JSON.stringify(schema.default)}`,
  ].filter(bound => bound !== undefined);
  const text = (schema.description ?? schema.items?.description ?? '').replaceAll('|', '\\|').replaceAll('\n', ' ');
  return bounds.length === 0 ? text : `${text}${text === '' ? '' : ' '}(${bounds.join(', ')})`;
}
