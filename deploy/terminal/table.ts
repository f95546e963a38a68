import { cut, padEnd, padStart, visibleWidth, type Paint } from './style.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** May be cut to make the table fit; the others keep their width. */
  readonly flexible?: boolean;
}

const WIDTH_MIN = 6;

/** Lines of a table, two spaces between columns, never wider than `width` while a flexible column can give way. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: { width?: number; paintTitle?: Paint } = {},
): string[] {
  const { width = Infinity, paintTitle = text => text } = options;
  const widths = columns.map((column, i) =>
    Math.max(visibleWidth(column.title), ...rows.map(row => visibleWidth(row[i] ?? ''))),
  );
  let excess = widths.reduce((sum, columnWidth) => sum + columnWidth, 2 * (columns.length - 1)) - width;
  while (excess > 0) {
    let widest = -1;
    columns.forEach((column, i) => {
      if (column.flexible && widths[i]! > WIDTH_MIN && (widest < 0 || widths[i]! > widths[widest]!)) widest = i;
    });
    if (widest < 0) break;
    widths[widest]!--;
    excess--;
  }
  const line = (cells: readonly string[]): string =>
    cut(
      columns
        .map((column, i) => (column.align === 'right' ? padStart : padEnd)(cut(cells[i] ?? '', widths[i]!), widths[i]!))
        .join('  ')
        .trimEnd(),
      width,
    );
  return [paintTitle(line(columns.map(column => column.title))), ...rows.map(line)];
}
