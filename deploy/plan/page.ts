import { escapeXml, htmlPage, htmlTable, htmlTile } from '../drawing/index.ts';
import { formatBytes, formatMs, formatPercent, formatRate } from '../terminal/index.ts';
import { groupHosts, sessionRows } from './anatomy.ts';
import type { Planned } from './output.ts';
import { planSvg } from './picture.ts';
import { moveLines } from './report.ts';

/** Of all that devices hold, so much is shown. */
const ROWS_MAX = 500;

/** One file for people: the figures, the picture, and the tables behind it. Several plans stand one below the other. */
export function planPage(planned: readonly Planned[], file: string): string {
  return htmlPage('Capacity plan', file, planned.map(section));
}

function section(planned: Planned): string {
  const { plan, prepared, costs } = planned;
  const gap = plan.bound.costPerHour > 0 ? plan.costPerHour / plan.bound.costPerHour - 1 : 0;
  const tiles = [
    htmlTile(String(plan.gpus), plan.gpus === 1 ? 'GPU' : 'GPUs', plan.policy),
    htmlTile(plan.costPerHour.toFixed(2), 'an hour', `${(plan.costPerHour * 730).toFixed(0)} a month`),
    htmlTile(plan.bound.gpus.toFixed(1), 'GPUs at least', `cost within ${formatPercent(gap)} of the bound`),
    ...(costs
      ? [
          htmlTile(
            formatPercent(costs.saving),
            'saved by sharing',
            `${costs.dedicatedPerHour.toFixed(2)} an hour dedicated`,
          ),
        ]
      : []),
    ...(plan.refused.length > 0 ? [htmlTile(String(plan.refused.length), 'refused', 'see below')] : []),
  ];
  const slo = new Map(prepared.workload.sessions.map(session => [session.name, session.sloMs]));
  const { rows, more } = sessionRows(groupHosts(plan.hosts), ROWS_MAX);
  const hosts = rows.map(({ group: { hosts: same, first }, session }) => [
    same.length === 1 ? first.id : `${first.id} × ${same.length}`,
    first.pool,
    session.name,
    session.model,
    String(session.batch),
    `${formatRate(session.rateHz)}/s`,
    `${formatMs(session.latencyMs)} of ${formatMs(slo.get(session.name))}`,
    formatBytes(first.memoryBytes),
  ]);
  const splits = Object.entries(prepared.splits).flatMap(([query, stages]) =>
    Object.entries(stages).map(([stage, ms]) => [query, stage, formatMs(ms)]),
  );
  return [
    `<section><h2>${escapeXml(plan.policy)}</h2><div class="tiles">${tiles.join('')}</div>`,
    `<div class="picture">${planSvg(planned, false)}</div>`,
    htmlTable(
      'Refused',
      ['session', 'why', 'nearest objective'],
      plan.refused.map(one => [one.session, one.reason, formatMs(one.nearestSloMs)]),
    ),
    htmlTable(
      'Moves, in order',
      [''],
      planned.migration ? moveLines(planned.migration).map(line => [line.trim()]) : [],
    ),
    htmlTable('How queries are split', ['query', 'stage', 'share'], splits),
    htmlTable(
      'Cost of a million requests',
      ['session', 'shared', 'dedicated', 'saved'],
      (costs?.sessions ?? []).map(one => [
        one.session,
        one.sharedPerMillion.toPrecision(3),
        one.dedicatedPerMillion?.toPrecision(3) ?? '–',
        one.dedicatedPerHour === undefined ? '–' : formatPercent(1 - one.sharedPerHour / one.dedicatedPerHour),
      ]),
    ),
    htmlTable('Devices', ['device', 'pool', 'session', 'model', 'batch', 'rate', 'within', 'memory'], hosts, more),
    plan.notes.length === 0
      ? ''
      : `<h3>Notes</h3><ul>${plan.notes.map(note => `<li>${escapeXml(note)}</li>`).join('')}</ul>`,
    '</section>',
  ].join('\n');
}
