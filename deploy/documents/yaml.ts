import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseAllDocuments, type Document } from 'yaml';
import { describeError } from '../../contracts/index.ts';
import type { Path, Problem } from './problem.ts';

/** 1-based line of a part of a document; of the nearest part around it when it is absent. */
export type LineOf = (path: Path, at?: 'key' | 'value') => number;

/** A document as plain data, not checked yet. */
export interface LocatedValue {
  readonly value: unknown;
  readonly lineOf: LineOf;
}

/** Reads YAML (or JSON) with any number of documents; those that hold nothing but comments are left out. Never throws. */
export function parseYaml(text: string, file: string): { values: LocatedValue[]; problems: Problem[] } {
  const lines = new LineCounter();
  const values: LocatedValue[] = [];
  const problems: Problem[] = [];
  for (const yaml of parseAllDocuments(text, { lineCounter: lines })) {
    if (!('contents' in yaml)) continue;
    for (const { severity, pos, message } of [
      ...yaml.errors.map(error => ({ severity: 'error' as const, pos: error.pos, message: error.message })),
      ...yaml.warnings.map(error => ({ severity: 'warning' as const, pos: error.pos, message: error.message })),
    ]) {
      const detail = message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '');
      problems.push({ severity, file, line: lines.linePos(pos[0]).line, field: '', detail: `not YAML: ${detail}` });
    }
    if (yaml.errors.length > 0 || yaml.contents === null) continue;
    const lineOf: LineOf = (path, at = 'value') => lines.linePos(offsetOf(yaml, path, at)).line;
    try {
      const value = yaml.toJS({ maxAliasCount: 100 }) as unknown;
      if (value !== undefined && value !== null) values.push({ value, lineOf });
    } catch (error) {
      const detail = `not YAML: ${describeError(error)}`;
      problems.push({ severity: 'error', file, line: lineOf([]), field: '', detail });
    }
  }
  return { values, problems };
}

/** Offset of a node in the text, of the nearest enclosing one that has an offset. */
function offsetOf(yaml: Document, path: Path, at: 'key' | 'value'): number {
  let node: unknown = yaml.contents;
  let offset = rangeOf(node) ?? 0;
  for (const [i, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(yaml);
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find(
        item => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
      );
      if (!pair) return offset;
      offset = rangeOf(pair.key) ?? offset;
      if (i === path.length - 1 && at === 'key') return offset;
      next = pair.value;
    } else if (isSeq(node)) next = node.items[Number(step)];
    if (next === undefined || next === null) return offset;
    // Of a block below its key the key is what people look for.
    if (!isMap(next) || isSeq(node)) offset = rangeOf(next) ?? offset;
    node = next;
  }
  return offset;
}

const rangeOf = (node: unknown): number | undefined =>
  (node as { range?: [number, number, number] } | null)?.range?.[0];
