import { colourOf, escapeXml, htmlPage, htmlTable, htmlTile } from '../drawing/index.ts';
import { formatMs, formatPercent, formatRate } from '../terminal/index.ts';
import { batchFigure, breakdownFigure, gpuFigure, latencyFigure, timeFigure } from './figures.ts';
import type { Outcome } from './outcome.ts';
import { happenings, nameOf, placeOf } from './report.ts';

/** One file for people: the figures, the pictures, and the tables behind them. */
export function outcomePage(outcome: Outcome): string {
  const { scenario, gpus, queries, models } = outcome;
  const tiles = [
    htmlTile(formatRate(outcome.goodHz), 'frames/s in time', `of ${formatRate(outcome.offeredHz)} offered`),
    htmlTile(formatPercent(outcome.badRate), 'bad', 'late, dropped, failed, rejected or lost'),
    htmlTile(gpus.usedMean.toFixed(1), 'GPUs used', `${gpus.usedMax} at most, ${gpus.there} there`),
    htmlTile(formatPercent(gpus.busyMean), 'busy', 'of the used ones'),
  ];
  const run = `${scenario}: ${outcome.durationS} s after ${outcome.warmupS} s of warm-up, seed ${outcome.seed}`;
  return htmlPage('Simulation', run, [
    `<p class="dim">Emulated: ${escapeXml(placeOf(outcome))}. No figure on this page was measured on a GPU.</p>`,
    `<div class="tiles">${tiles.join('')}</div>`,
    picture(timeFigure(outcome)),
    picture(gpuFigure(outcome)),
    picture(breakdownFigure(outcome)),
    `<h2>Latencies</h2><div class="tiles">${queries.map((query, i) => latencyFigure(query, colourOf(i))).join('')}</div>`,
    `<h2>Batch sizes</h2><div class="tiles">${models.map((model, i) => batchFigure(model, colourOf(i))).join('')}</div>`,
    htmlTable(
      'Queries',
      [
        'query',
        'offered',
        'ok',
        'late',
        'dropped',
        'failed',
        'rejected',
        'lost',
        'bad',
        'p50',
        'p90',
        'p99',
        'most',
        'objective',
      ],
      queries.map(query => {
        const { offered, ok, late, dropped, failed, rejected, lost, badRate, latency, objectiveMs } = query;
        const { p50Ms, p90Ms, p99Ms, maxMs } = latency;
        return [
          nameOf(query),
          ...[offered, ok, late, dropped, failed, rejected, lost].map(String),
          formatPercent(badRate),
          ...[p50Ms, p90Ms, p99Ms, maxMs, objectiveMs].map(formatMs),
        ];
      }),
    ),
    htmlTable(
      'Why not in time',
      ['query', 'outcome', 'reason', 'decided at', 'stage', 'frames'],
      queries.flatMap(query =>
        query.troubles.map(({ outcome, reason, at, stage, count }) => [
          nameOf(query),
          outcome,
          reason,
          at,
          stage ?? '',
          String(count),
        ]),
      ),
    ),
    htmlTable(
      'What happened',
      ['time', ''],
      happenings(outcome).map(({ atS, what }) => [`${atS.toFixed(1)} s`, what]),
    ),
  ]);
}

const picture = (drawing: string): string => `<div class="picture">${drawing}</div>`;
