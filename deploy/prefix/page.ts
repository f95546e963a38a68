import { escapeXml, htmlPage, htmlTable, htmlTile } from '../drawing/index.ts';
import { formatBytes, formatPercent } from '../terminal/index.ts';
import { shareOf } from './cuts.ts';
import { prefixSvg } from './picture.ts';
import type { Measured } from './measure.ts';
import { across, dimsOf, formatQuantity, measuredColumns, shortHash, unmeasured } from './report.ts';
import { totals, type StudiedGroup, type Study } from './study.ts';

/** One file for people: the figures, the picture, and the tables behind it. */
export function prefixPage(study: Study, measured: Measured): string {
  const { models, groups } = study;
  const grouped = models.filter(({ alone }) => alone === undefined).length;
  const { apart, least } = totals(groups);
  const tiles = [
    htmlTile(
      `${grouped} of ${models.length}`,
      'models share a trunk',
      `in ${groups.length} ${groups.length === 1 ? 'group' : 'groups'}`,
    ),
    ...(groups.length === 0
      ? []
      : [
          htmlTile(
            formatBytes(least),
            'of weights',
            `in the best groups, instead of ${formatBytes(apart)}: ${formatPercent(1 - least / apart)} saved`,
          ),
        ]),
  ];
  const rows = models.map(({ name, file, nodes, parameters, bytes, cost, alone }) => [
    name,
    file,
    String(nodes),
    formatQuantity(parameters),
    formatBytes(bytes),
    formatQuantity(cost),
    alone ?? '',
  ]);
  return htmlPage('Shared prefixes', models.map(({ name }) => name).join(', '), [
    `<div class="tiles">${tiles.join('')}</div>`,
    `<div class="picture">${prefixSvg(study, false)}</div>`,
    htmlTable(
      'Models',
      ['model', 'file', 'nodes', 'parameters', 'weights', 'multiply-adds an input', 'shares nothing'],
      rows,
    ),
    ...groups.flatMap(group => groupTables(group, measured)),
  ]);
}

function groupTables({ id, group, partings, inner, cut }: StudiedGroup, measured: Measured): string[] {
  const { batches, cells } = measuredColumns(group.cuts, measured);
  const cuts = group.cuts.map((one, i) => [
    `${shortHash(one)}${one === cut ? ' (best)' : ''}`,
    formatPercent(shareOf(one)),
    String(one.prefix.nodes),
    formatBytes(one.prefix.parameterBytes),
    across(one),
    ...cells[i]!,
    one.tensors.map(dimsOf).join(' '),
    one.exact ? 'exact' : one.insideFusion ? 'inside a fusion' : '',
  ]);
  return [
    htmlTable(
      `Where group ${id} parts`,
      ['model', 'goes on with'],
      partings.map(({ members, first }) => [members.join(', '), first.join(', ')]),
    ),
    htmlTable(
      `Cuts of group ${id}`,
      [
        'cut',
        'compute before',
        'nodes',
        'weights',
        'bytes across, an input',
        ...batches.map(batch => `ms at ${batch}: before + behind (by the whole)`),
        'tensors',
        '',
      ],
      cuts,
    ),
    ...unmeasured(group.cuts, measured).map(line => `<p>${escapeXml(line)}</p>`),
    ...inner.flatMap(one => groupTables(one, measured)),
  ];
}
