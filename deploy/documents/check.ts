import { TOKEN_PATTERN, type TSchema } from '../../contracts/index.ts';
import { didYouMean, nearest } from './suggest.ts';
import type { Path } from './problem.ts';

/** A part of a document that doesn't fit. `at: 'key'`: the name of the field is wrong, else its value. */
export interface Misfit {
  readonly path: Path;
  readonly at: 'key' | 'value';
  readonly detail: string;
  readonly remedy?: string;
}

/** The part of JSON Schema that our documents use. */
export interface JsonSchema {
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null';
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly format?: string;
}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every misfit of a value, in the words of people who write YAML; a union is judged by the branch that `kind` chooses. */
export function misfits(schema: TSchema, value: unknown, what: string): Misfit[] {
  const found: Misfit[] = [];
  check(schema, value, [], what, found);
  return found;
}

const TYPE_WORDS: Record<string, string> = {
  object: 'fields (name: value)',
  array: 'a list',
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  null: 'empty',
};

/** What a value is, for "… , not X". */
function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'fields (name: value)';
  if (typeof value === 'string')
    return `the text ${JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value)}`;
  if (typeof value === 'number') return String(value);
  return JSON.stringify(value) ?? 'something that YAML has no word for';
}

function hasType(type: string, value: unknown): boolean {
  if (type === 'object') return isFields(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'number') return typeof value === 'number' && Number.isFinite(value);
  if (type === 'null') return value === null;
  return typeof value === type;
}

function check(schema: JsonSchema, value: unknown, path: Path, what: string, found: Misfit[]): void {
  const say = (detail: string, remedy?: string): void => {
    found.push({ path, at: 'value', detail, ...(remedy === undefined ? {} : { remedy }) });
  };
  if (schema.anyOf) return checkUnion(schema.anyOf, value, path, what, found);
  if (schema.const !== undefined) {
    if (value !== schema.const) say(`must be ${JSON.stringify(schema.const)}, not ${show(value)}`);
    return;
  }
  if (schema.enum) {
    if (schema.enum.includes(value)) return;
    const choice = schema.enum.map(String);
    const near = typeof value === 'string' ? nearest(value, choice) : undefined;
    return say(
      `must be one of ${choice.join(', ')}, not ${show(value)}`,
      near === undefined ? undefined : `did you mean "${near}"?`,
    );
  }
  if (schema.type !== undefined && !hasType(schema.type, value)) {
    const remedy = typeRemedy(schema, value);
    return say(`must be ${TYPE_WORDS[schema.type]}, not ${show(value)}`, remedy);
  }
  if (typeof value === 'number') checkNumber(schema, value, say);
  else if (typeof value === 'string') checkText(schema, value, say);
  else if (Array.isArray(value)) checkList(schema, value, path, what, found, say);
  else if (isFields(value)) checkFields(schema, value, path, what, found, say);
}

/** The usual slips: a number in quotes or with its unit, a name that YAML reads as a number, one value where a list is meant. */
function typeRemedy(schema: JsonSchema, value: unknown): string | undefined {
  if (value === null || value === undefined) return schema.description;
  if ((schema.type === 'number' || schema.type === 'integer') && typeof value === 'string') {
    const number = /^\s*(-?\d+(\.\d+)?)/.exec(value)?.[1];
    return number === undefined ? schema.description : `write ${number}, without quotes or unit`;
  }
  if (schema.type === 'integer' && typeof value === 'number') return `write ${Math.round(value)}`;
  if (schema.type === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    return `put it in quotes: "${value}"`;
  }
  if (schema.type === 'array' && !isFields(value)) return `write a list: [${JSON.stringify(value)}]`;
  return schema.description;
}

type Say = (detail: string, remedy?: string) => void;

function checkNumber(schema: JsonSchema, value: number, say: Say): void {
  const { minimum, maximum, exclusiveMinimum } = schema;
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) {
    say(`must be greater than ${exclusiveMinimum}, not ${value}`, schema.description);
  } else if (minimum !== undefined && value < minimum)
    say(`must be at least ${minimum}, not ${value}`, schema.description);
  else if (maximum !== undefined && value > maximum)
    say(`must be at most ${maximum}, not ${value}`, schema.description);
}

function checkText(schema: JsonSchema, value: string, say: Say): void {
  if (schema.maxLength !== undefined && value.length > schema.maxLength) {
    say(`must have at most ${schema.maxLength} characters, not ${value.length}`);
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value)) {
    if (schema.pattern !== TOKEN_PATTERN) return say(`must match ${schema.pattern}, not ${show(value)}`);
    const fixed = value.replaceAll(/[^A-Za-z0-9_-]+/g, '-').slice(0, 64);
    say(
      `must be a name of A-Z a-z 0-9 _ - (at most 64), not ${show(value)}`,
      value === '' ? schema.description : `for example "${fixed}"`,
    );
  }
}

function checkList(schema: JsonSchema, list: readonly unknown[], path: Path, what: string, found: Misfit[], say: Say) {
  if (list.length < (schema.minItems ?? 0)) say(`needs at least ${schema.minItems} of them`, schema.description);
  if (list.length > (schema.maxItems ?? Infinity)) {
    say(`may have at most ${schema.maxItems}, not ${list.length}`, schema.description);
  }
  const { items } = schema;
  if (items) list.forEach((item, i) => check(items, item, [...path, i], what, found));
}

function checkFields(schema: JsonSchema, value: Fields, path: Path, what: string, found: Misfit[], say: Say): void {
  const known = schema.properties ?? {};
  const patterns = Object.entries(schema.patternProperties ?? {});
  const present = Object.keys(value);
  const excused = new Set<string>();
  for (const name of present) {
    const own = Object.hasOwn(known, name) ? known[name] : undefined;
    const byPattern = patterns.find(([pattern]) => new RegExp(pattern, 'u').test(name))?.[1];
    const inside = own ?? byPattern;
    const here = [...path, name];
    if (inside) check(inside, value[name], here, what, found);
    else if (patterns.length > 0) {
      found.push({ path: here, at: 'key', detail: 'is not a name of A-Z a-z 0-9 _ - (at most 64)' });
    } else if (schema.additionalProperties === false) {
      const free = Object.keys(known).filter(field => !present.includes(field));
      const meant = nearest(name, free);
      if (meant !== undefined) excused.add(meant);
      found.push({
        path: here,
        at: 'key',
        detail: `is not a field ${path.length === 0 ? `of a ${what}` : 'here'}`,
        remedy: didYouMean(name, free, 'fields not used yet'),
      });
    }
  }
  for (const name of schema.required ?? []) {
    if (Object.hasOwn(value, name) || excused.has(name)) continue;
    const about = known[name]?.description;
    say(`lacks "${name}"`, about === undefined ? undefined : `${name}: ${about}`);
  }
  if (present.length < (schema.minProperties ?? 0)) say('is empty: it needs at least one', schema.description);
  if (present.length > (schema.maxProperties ?? Infinity)) {
    say(`may have at most ${schema.maxProperties}, not ${present.length}`);
  }
}

function checkUnion(branches: readonly JsonSchema[], value: unknown, path: Path, what: string, found: Misfit[]): void {
  const kinds = branches.map(branch => branch.properties?.['kind']?.const);
  if (kinds.every(kind => typeof kind === 'string')) {
    const choice: string[] = kinds;
    if (!isFields(value)) {
      found.push({
        path,
        at: 'value',
        detail: `must have a "kind", not be ${show(value)}`,
        remedy: `write: { kind: ${typeof value === 'string' && choice.includes(value) ? value : choice[0]}, … }`,
      });
      return;
    }
    const branch = branches[choice.indexOf(String(value['kind']))];
    if (branch) return check(branch, value, path, what, found);
    if (value['kind'] === undefined) {
      found.push({ path, at: 'value', detail: 'lacks "kind"', remedy: `kinds: ${choice.join(', ')}` });
    } else check({ enum: choice }, value['kind'], [...path, 'kind'], what, found);
    return;
  }
  const fitting = branches.filter(branch => branch.type === undefined || hasType(branch.type, value));
  if (fitting.length === 0) {
    const words = [...new Set(branches.map(branch => TYPE_WORDS[branch.type ?? ''] ?? 'something else'))];
    found.push({ path, at: 'value', detail: `must be ${words.join(' or ')}, not ${show(value)}` });
    return;
  }
  const judged = fitting.map(branch => {
    const inside: Misfit[] = [];
    check(branch, value, path, what, inside);
    return inside;
  });
  found.push(...judged.reduce((best, next) => (next.length < best.length ? next : best)));
}
