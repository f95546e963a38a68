import { cellOf, type Group, type RowResult } from '../results.ts';
import { format } from './figures.ts';

/** Header and rows of the figures of one group: a line for each x, the systems side by side, then their ratios. */
export function figuresOf(row: RowResult, group: Group): { header: string[]; rows: string[][] } {
  const systems = row.systems.filter(({ id }) => group.cells.some(cell => cell.system === id));
  const ratios = (row.ratios ?? []).filter(pair => pair.every(id => systems.some(system => system.id === id)));
  const titleOf = (id: string): string => row.systems.find(system => system.id === id)!.title;
  const rows = [...new Set(group.cells.map(({ x }) => x))].map(x => {
    const cells = systems.map(({ id }) => cellOf(group, id, x));
    const shown = cells.map(cell => {
      if (!cell) return '';
      const mark = cell.note === undefined ? '' : ' *';
      return cell.value === null ? `–${mark}` : `${format(cell.value)}${rangeOf(cell.low, cell.high)}${mark}`;
    });
    const values = new Map(cells.flatMap(cell => (cell ? [[cell.system, cell.value] as const] : [])));
    const compared = ratios.map(([over, under]) => {
      const [a, b] = [values.get(over), values.get(under)];
      return a && b ? `${(a / b).toFixed(2)} ×` : '–';
    });
    return [String(x), ...shown, ...compared];
  });
  const header = [
    row.xName,
    ...systems.map(({ title }) => title),
    ...ratios.map(([over, under]) => `${titleOf(over)} / ${titleOf(under)}`),
  ];
  return { header, rows };
}

/** Remarks on cells; what holds for all of a system is said once. */
export function notesOf(row: RowResult, { cells }: Group): string[] {
  const noted = cells.filter(({ note }) => note !== undefined);
  return [...new Set(noted.map(({ system, note }) => JSON.stringify([system, note])))].map(key => {
    const [system, note] = JSON.parse(key) as [string, string];
    const those = noted.filter(cell => cell.system === system && cell.note === note);
    const everywhere = those.length === cells.filter(cell => cell.system === system).length;
    const { title } = row.systems.find(({ id }) => id === system)!;
    return `${title}${everywhere ? '' : `, ${row.xName} ${those.map(({ x }) => x).join(', ')}`}: ${note}`;
  });
}

const rangeOf = (low?: number, high?: number): string =>
  low === undefined || high === undefined || high - low < 0.0005 * high ? '' : ` (${format(low)}–${format(high)})`;
