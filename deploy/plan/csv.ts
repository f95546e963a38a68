/** One row of a CSV file: column → text, and the line it begins on (1-based). */
export interface CsvRow {
  readonly line: number;
  readonly cells: Readonly<Record<string, string>>;
  /** Fields that no column names. */
  readonly surplus: number;
}

export interface Csv {
  readonly columns: readonly string[];
  readonly headerLine: number;
  readonly rows: readonly CsvRow[];
}

/**
 * Reads CSV with a header (RFC 4180): quoted fields, doubled quotes, line breaks inside quotes; besides, lines that begin
 * with `#` and empty lines are comments, and spaces around a field don't count. Missing cells are empty.
 */
export function parseCsv(text: string): Csv {
  const records = recordsOf(text.replace(/^\uFEFF/, '')).filter(
    ({ fields }) => !(fields.length === 1 && fields[0] === '') && !fields[0]!.startsWith('#'),
  );
  const [header, ...rows] = records;
  const columns = header?.fields ?? [];
  return {
    columns,
    headerLine: header?.line ?? 1,
    rows: rows.map(({ line, fields }) => ({
      line,
      cells: Object.fromEntries(columns.map((column, i) => [column, fields[i] ?? ''])),
      surplus: Math.max(0, fields.length - columns.length),
    })),
  };
}

function recordsOf(text: string): { line: number; fields: string[] }[] {
  const records: { line: number; fields: string[] }[] = [];
  let [line, at] = [1, 0];
  while (at < text.length) {
    const record = { line, fields: [] as string[] };
    for (let more = true; more; ) {
      const { value, end } = fieldAt(text, at, record.fields.length === 0);
      record.fields.push(value);
      line += text.slice(at, end).split('\n').length - 1;
      more = text[end] === ',' && !(record.fields.length === 1 && value.startsWith('#'));
      at = end + 1;
    }
    // A line ends with \n or \r\n; the \r was trimmed with the spaces.
    line++;
    records.push(record);
  }
  return records;
}

/** The field that begins at `at`, and where its comma or line break stands. */
function fieldAt(text: string, at: number, first: boolean): { value: string; end: number } {
  let begin = at;
  while (text[begin] === ' ' || text[begin] === '\t') begin++;
  if (text[begin] === '"') {
    let value = '';
    let i = begin + 1;
    for (; i < text.length; i++) {
      if (text[i] !== '"') value += text[i];
      else if (text[i + 1] === '"') value += text[++i];
      else break;
    }
    return { value, end: endOfField(text, i + 1, /[,\n]/g) };
  }
  const end = endOfField(text, at, first && text[begin] === '#' ? /\n/g : /[,\n]/g);
  return { value: text.slice(at, end).trim(), end };
}

function endOfField(text: string, from: number, stop: RegExp): number {
  stop.lastIndex = from;
  return stop.exec(text)?.index ?? text.length;
}
