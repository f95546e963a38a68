import { formatBytes, formatMs, formatPercent, formatRate } from '../terminal/index.ts';
import { groupHosts } from './anatomy.ts';
import type { Planned } from './output.ts';
import { escapeXml, planSvg } from './picture.ts';
import { moveLines } from './report.ts';

/** Rows of one table; a page with more would not open. */
const ROWS_MAX = 500;

/** One file for people: the figures, the picture, and the tables behind it. Several plans stand one below the other. */
export function planPage(planned: readonly Planned[], file: string): string {
  const name = escapeXml(file);
  return [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">`,
    `<title>Capacity plan: ${name}</title><style>${STYLE}</style></head><body>`,
    `<h1>Capacity plan <small>${name}</small></h1>`,
    ...planned.map(section),
    '</body></html>',
    '',
  ].join('\n');
}

function section(planned: Planned): string {
  const { plan, prepared, costs } = planned;
  const gap = plan.bound.costPerHour > 0 ? plan.costPerHour / plan.bound.costPerHour - 1 : 0;
  const tiles = [
    tile(String(plan.gpus), plan.gpus === 1 ? 'GPU' : 'GPUs', plan.policy),
    tile(plan.costPerHour.toFixed(2), 'an hour', `${(plan.costPerHour * 730).toFixed(0)} a month`),
    tile(plan.bound.gpus.toFixed(1), 'GPUs at least', `cost within ${formatPercent(gap)} of the bound`),
    ...(costs
      ? [
          tile(
            formatPercent(costs.saving),
            'saved by sharing',
            `${costs.dedicatedPerHour.toFixed(2)} an hour dedicated`,
          ),
        ]
      : []),
    ...(plan.refused.length > 0 ? [tile(String(plan.refused.length), 'refused', 'see below')] : []),
  ];
  const slo = new Map(prepared.workload.sessions.map(session => [session.name, session.sloMs]));
  const hosts = groupHosts(plan.hosts).flatMap(({ hosts: same, first }) =>
    first.sessions.map(session => [
      same.length === 1 ? first.id : `${first.id} × ${same.length}`,
      first.pool,
      session.name,
      session.model,
      String(session.batch),
      `${formatRate(session.rateHz)}/s`,
      `${formatMs(session.latencyMs)} of ${formatMs(slo.get(session.name))}`,
      formatBytes(first.memoryBytes),
    ]),
  );
  const splits = Object.entries(prepared.splits).flatMap(([query, stages]) =>
    Object.entries(stages).map(([stage, ms]) => [query, stage, formatMs(ms)]),
  );
  return [
    `<section><h2>${escapeXml(plan.policy)}</h2><div class="tiles">${tiles.join('')}</div>`,
    `<div class="picture">${planSvg(planned, false)}</div>`,
    grid(
      'Refused',
      ['session', 'why', 'nearest objective'],
      plan.refused.map(one => [one.session, one.reason, formatMs(one.nearestSloMs)]),
    ),
    grid('Moves, in order', [''], planned.migration ? moveLines(planned.migration).map(line => [line.trim()]) : []),
    grid('How queries are split', ['query', 'stage', 'share'], splits),
    grid(
      'Cost of a million requests',
      ['session', 'shared', 'dedicated', 'saved'],
      (costs?.sessions ?? []).map(one => [
        one.session,
        one.sharedPerMillion.toPrecision(3),
        one.dedicatedPerMillion?.toPrecision(3) ?? '–',
        one.dedicatedPerHour === undefined ? '–' : formatPercent(1 - one.sharedPerHour / one.dedicatedPerHour),
      ]),
    ),
    grid('Devices', ['device', 'pool', 'session', 'model', 'batch', 'rate', 'within', 'memory'], hosts),
    plan.notes.length === 0
      ? ''
      : `<h3>Notes</h3><ul>${plan.notes.map(note => `<li>${escapeXml(note)}</li>`).join('')}</ul>`,
    '</section>',
  ].join('\n');
}

const tile = (figure: string, what: string, more: string): string =>
  `<div class="tile"><b>${escapeXml(figure)}</b> ${escapeXml(what)}<small>${escapeXml(more)}</small></div>`;

function grid(title: string, header: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const cells = (row: readonly string[], tag: string): string =>
    `<tr>${row.map(cell => `<${tag}>${escapeXml(cell)}</${tag}>`).join('')}</tr>`;
  const more = rows.length > ROWS_MAX ? `<p class="dim">and ${rows.length - ROWS_MAX} more: see --json</p>` : '';
  const body = rows.slice(0, ROWS_MAX).map(row => cells(row, 'td'));
  return `<details open><summary>${title}</summary><table>${cells(header, 'th')}${body.join('')}</table>${more}</details>`;
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --dim: #66707e; --line: #dfe3e8; --page: #ffffff; --card: #f6f7f9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --dim: #98a2b1; --line: #2f3743; --page: #151a21; --card: #1d232c; }
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
