import { DARK, LIGHT } from './palette.ts';
import { escapeXml } from './svg.ts';

/** Rows of one table; a page with more would not open. */
const ROWS_MAX = 500;

/** One HTML file without scripts or anything from elsewhere. `body`: HTML. */
export const htmlPage = (title: string, name: string, body: readonly string[]): string =>
  [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">`,
    `<title>${escapeXml(title)}: ${escapeXml(name)}</title><style>${STYLE}</style></head><body>`,
    `<h1>${escapeXml(title)} <small>${escapeXml(name)}</small></h1>`,
    ...body,
    '</body></html>',
    '',
  ].join('\n');

export const htmlTile = (figure: string, what: string, more: string): string =>
  `<div class="tile"><b>${escapeXml(figure)}</b> ${escapeXml(what)}<small>${escapeXml(more)}</small></div>`;

/** A table that can be folded; nothing where there are no rows. `besides`: so many rows that are not given. */
export function htmlTable(
  title: string,
  header: readonly string[],
  rows: readonly (readonly string[])[],
  besides = 0,
): string {
  if (rows.length === 0) return '';
  const cells = (row: readonly string[], tag: string): string =>
    `<tr>${row.map(cell => `<${tag}>${escapeXml(cell)}</${tag}>`).join('')}</tr>`;
  const left = Math.max(0, rows.length - ROWS_MAX) + besides;
  const more = left > 0 ? `<p class="dim">and ${left} more: see --json</p>` : '';
  const body = rows.slice(0, ROWS_MAX).map(row => cells(row, 'td'));
  return `<details open><summary>${escapeXml(title)}</summary><table>${cells(header, 'th')}${body.join('')}</table>${more}</details>`;
}

const variables = ({ ink, dim, line, page, card }: typeof LIGHT): string =>
  `--ink: ${ink}; --dim: ${dim}; --line: ${line}; --page: ${page}; --card: ${card};`;

const STYLE = `
:root { color-scheme: light dark; ${variables(LIGHT)} }
@media (prefers-color-scheme: dark) {
  :root { ${variables(DARK)} }
}
body {
  font: 14px/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif; color: var(--ink); background: var(--page);
  margin: 2rem auto; max-width: 1160px; padding: 0 1rem;
}
h1 { font-size: 1.5rem; } h2 { margin-top: 2rem; } small, .dim { color: var(--dim); font-weight: 400; }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .7rem 1rem; min-width: 9rem; }
.tile b { font-size: 1.5rem; } .tile small { display: block; }
.picture { margin: 1.5rem 0; overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
th { color: var(--dim); font-weight: 500; }
summary { font-weight: 600; margin: 1rem 0 .4rem; cursor: pointer; }
`;
