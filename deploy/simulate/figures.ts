import { colourOf, svgText } from '../drawing/index.ts';
import { formatMs, formatPercent, formatRate } from '../terminal/index.ts';
import type { HostOutcome, ModelOutcome, Outcome, QueryOutcome } from './outcome.ts';
import {
  area,
  axes,
  curve,
  legend,
  line,
  rect,
  roundUp,
  steps,
  svg,
  xOf,
  yOf,
  type Axis,
  type Panel,
} from './plots.ts';
import { nameOf } from './report.ts';

const WIDTH = 1120;
const LEFT = 64;
const INNER = WIDTH - LEFT - 24;
/** Rows of a strip beyond which they are left out: nobody could tell them apart. */
const HOSTS_MAX = 256;

const totalS = ({ warmupS, durationS }: Outcome): number => warmupS + durationS;
const secondsAxis = (outcome: Outcome): Axis => ({
  step: roundUp(totalS(outcome), 10).step,
  label: s => `${Number(s.toFixed(1))} s`,
});

/** Workload, GPUs and bad rate over one axis of time, as in the large-scale figure of Nexus (SOSP'19). */
export function timeFigure(outcome: Outcome): string {
  const { queries, series } = outcome;
  const { bucketS, gpusUsed, gpusBusy } = series;
  const xMax = totalS(outcome);
  const place = (top: number, height: number, yMax: number): Panel => ({
    left: LEFT,
    top,
    width: INNER,
    height,
    xMax,
    yMax,
  });
  const x = secondsAxis(outcome);

  const entries = queries.map((query, i) => ({ name: nameOf(query), colour: colourOf(i) }));
  const names = legend(entries, LEFT, 22, INNER);
  const sums = gpusUsed.map((_, i) => queries.reduce((all, { series: { offered } }) => all + offered[i]! / bucketS, 0));
  const rate = roundUp(Math.max(...sums, 1));
  const workload = place(48 + names.height, 150, rate.max);
  let below = gpusUsed.map(() => 0);
  const stack = queries.map((query, i) => {
    const above = below.map((sum, bucket) => sum + query.series.offered[bucket]! / bucketS);
    const shape = area(steps(workload, above, bucketS), steps(workload, below, bucketS), colourOf(i), nameOf(query));
    below = above;
    return shape;
  });

  const most = roundUp(Math.max(outcome.gpus.usedMax, ...gpusUsed, 1));
  const gpus = place(workload.top + 150 + 44, 120, most.max);
  const worst = roundUp(Math.max(0.01, ...queries.flatMap(query => badRates(query))));
  const bad = place(gpus.top + 120 + 44, 120, worst.max);
  const bottom = bad.top + bad.height;
  const marks = outcome.events.map(({ atS, what }, i) =>
    [
      line(xOf(workload, atS), workload.top, xOf(workload, atS), bottom, 'mark'),
      svgText(xOf(workload, atS) + 4, workload.top + 10 + 12 * (i % 4), what, 'note'),
    ].join(''),
  );
  return svg(WIDTH, bottom + 28, `${outcome.scenario} over time`, [
    names.svg,
    ...[workload, gpus, bad].map(panel =>
      rect(
        panel.left,
        panel.top,
        xOf(panel, outcome.warmupS) - panel.left,
        panel.height,
        'class="warm"',
        'warm-up, not counted',
      ),
    ),
    axes(workload, { title: 'Workload, frames/s', yStep: rate.step, yLabel: formatRate }),
    ...stack,
    axes(gpus, { title: 'GPUs: used by plan (line), busy (area)', yStep: most.step, yLabel: String }),
    area(
      steps(gpus, gpusBusy, bucketS),
      steps(
        gpus,
        gpusBusy.map(() => 0),
        bucketS,
      ),
      colourOf(0),
      'busy',
    ),
    curve(steps(gpus, gpusUsed, bucketS), colourOf(3)),
    axes(bad, { title: 'Bad rate', yStep: worst.step, yLabel: formatPercent, x }),
    ...queries.map((query, i) => curve(steps(bad, badRates(query), bucketS), colourOf(i))),
    worst.max >= 0.01 ? line(LEFT, yOf(bad, 0.01), LEFT + INNER, yOf(bad, 0.01), 'limit') : '',
    ...marks,
  ]);
}

const badRates = ({ series: { ok, bad } }: QueryOutcome): number[] =>
  bad.map((count, i) => (count === 0 ? 0 : count / (count + ok[i]!)));

/** What each GPU holds over time; the stronger the colour, the busier it is. */
export function gpuFigure(outcome: Outcome): string {
  const hosts = outcome.hosts.slice(0, HOSTS_MAX);
  const { bucketS } = outcome.series;
  const what = [...new Set(hosts.flatMap(({ held }) => held.map(({ models }) => models.join(' + '))))]
    .filter(Boolean)
    .sort();
  const colours = new Map(what.map((name, i) => [name, colourOf(i)]));
  const names = legend(
    what.map((name, i) => ({ name, colour: colourOf(i) })),
    LEFT,
    22,
    INNER,
  );
  const row = hosts.length > 40 ? 8 : 16;
  const top = 40 + names.height;
  const panel: Panel = { left: LEFT, top, width: INNER, height: row * hosts.length, xMax: totalS(outcome), yMax: 1 };
  const cells = hosts.flatMap((host, i) => {
    const y = top + i * row;
    const label =
      row > 10 || i % 5 === 0 ? [svgText(LEFT - 6, y + row - (row > 10 ? 4 : 1), host.host, 'tick', 'end')] : [];
    return [
      ...label,
      rect(LEFT, y, INNER, row - 1, 'class="track"'),
      ...strip(host, panel, y, row - 1, bucketS, colours),
    ];
  });
  const more =
    outcome.hosts.length > hosts.length
      ? [svgText(LEFT, top + panel.height + 34, `… and ${outcome.hosts.length - hosts.length} more`, 'dim')]
      : [];
  const marks = outcome.events.map(({ atS }) =>
    line(xOf(panel, atS), top, xOf(panel, atS), top + panel.height, 'mark'),
  );
  return svg(WIDTH, top + panel.height + 40, 'GPUs over time', [
    names.svg,
    ...cells,
    axes(
      { ...panel, yMax: 0.5 },
      { title: 'GPUs: what they hold; the stronger, the busier', yStep: 1, yLabel: () => '', x: secondsAxis(outcome) },
    ),
    ...marks,
    ...more,
  ]);
}

function strip(
  { host, held, busy }: HostOutcome,
  panel: Panel,
  y: number,
  height: number,
  bucketS: number,
  colours: ReadonlyMap<string, string>,
): string[] {
  const parts: string[] = [];
  // Neighbours that look the same are drawn as one.
  let open: { from: number; to: number; models: string; share: number } | undefined;
  const close = (): void => {
    if (!open || open.models === '') return;
    const { from, to, models, share } = open;
    const [x0, x1] = [xOf(panel, from), xOf(panel, Math.min(panel.xMax, to))];
    const fill = `fill="${colours.get(models)!}" fill-opacity="${(0.18 + 0.82 * share).toFixed(2)}"`;
    parts.push(rect(x0, y, x1 - x0, height, fill, `${host}: ${models}, ${formatPercent(share)} busy`));
  };
  busy.forEach((exact, i) => {
    const share = Math.round(exact * 10) / 10;
    const from = i * bucketS;
    const models = held.findLast(({ fromS }) => fromS <= from + bucketS / 2)?.models.join(' + ') ?? '';
    if (open?.models === models && open.share === share) open.to = from + bucketS;
    else {
      close();
      open = { from, to: from + bucketS, models, share };
    }
  });
  close();
  return parts;
}

const SMALL = { width: 360, height: 170 };

/** How long answers of a query took, and what was allowed. */
export function latencyFigure(query: QueryOutcome, colour: string): string {
  const { latencies, objectiveMs, latency } = query;
  const { widthMs, counts } = latencies;
  const xMax = Math.max(1.15 * objectiveMs, Math.min(1.05 * latency.maxMs, widthMs * counts.length));
  const bins = 60;
  const shown = Array<number>(bins).fill(0);
  counts.forEach((count, i) => (shown[Math.min(bins - 1, Math.floor((bins * (i + 0.5) * widthMs) / xMax))]! += count));
  const all = counts.reduce((sum, count) => sum + count, 0);
  const shares = shown.map(count => count / Math.max(1, all));
  const y = roundUp(Math.max(...shares, 1e-3), 3);
  const panel: Panel = { left: 52, top: 40, width: SMALL.width - 72, height: 84, xMax, yMax: y.max };
  const x = { step: roundUp(xMax, 4).step, label: (ms: number) => `${Math.round(ms)} ms` };
  return svg(SMALL.width, SMALL.height, `latency of ${nameOf(query)}`, [
    svgText(10, 16, nameOf(query), 'head'),
    axes(panel, { title: '', yStep: y.step, yLabel: formatPercent, x }),
    ...shares.map((share, i) => {
      const [x0, x1, top] = [xOf(panel, (i * xMax) / bins), xOf(panel, ((i + 1) * xMax) / bins), yOf(panel, share)];
      return share === 0 ? '' : rect(x0, top, x1 - x0 - 0.5, panel.top + panel.height - top, `fill="${colour}"`);
    }),
    line(xOf(panel, objectiveMs), panel.top - 6, xOf(panel, objectiveMs), panel.top + panel.height, 'limit'),
    svgText(
      10,
      SMALL.height - 12,
      `p50 ${formatMs(latency.p50Ms)} · p99 ${formatMs(latency.p99Ms)} · objective ${formatMs(objectiveMs)}`,
      'dim',
    ),
  ]);
}

/** How many inputs ran together. */
export function batchFigure({ model, sizes, meanBatch, batches }: ModelOutcome, colour: string): string {
  const all = sizes.reduce((sum, count) => sum + count, 0);
  const shares = sizes.map(count => count / Math.max(1, all));
  const y = roundUp(Math.max(...shares, 1e-3), 3);
  const panel: Panel = {
    left: 52,
    top: 40,
    width: SMALL.width - 72,
    height: 84,
    xMax: Math.max(2, sizes.length),
    yMax: y.max,
  };
  const x = { step: Math.max(1, roundUp(panel.xMax, 6).step), label: String };
  return svg(SMALL.width, SMALL.height, `batches of ${model}`, [
    svgText(10, 16, model, 'head'),
    axes(panel, { title: '', yStep: y.step, yLabel: formatPercent, x }),
    ...shares.map((share, size) => {
      const [x0, x1, top] = [xOf(panel, size - 0.4), xOf(panel, size + 0.4), yOf(panel, share)];
      return share === 0 ? '' : rect(x0, top, x1 - x0, panel.top + panel.height - top, `fill="${colour}"`);
    }),
    svgText(10, SMALL.height - 12, `${batches} batches, ${meanBatch.toFixed(1)} inputs each`, 'dim'),
  ]);
}

const PARTS = [
  ['routeMs', 'in the router'],
  ['scheduleMs', 'waiting for a device'],
  ['transferMs', 'on the way to the host'],
  ['waitMs', 'ready, waiting for the batch'],
  ['runMs', 'on the device'],
  ['returnMs', 'on the way back'],
] as const;

/** Where the time of answers went. */
export function breakdownFigure({ queries }: Outcome): string {
  const names = legend(
    PARTS.map(([, name], i) => ({ name, colour: colourOf(i) })),
    150,
    22,
    WIDTH - 170,
  );
  const longest = roundUp(Math.max(...queries.map(({ latency }) => latency.meanMs), 1), 8);
  const top = 40 + names.height;
  const panel: Panel = { left: 150, top, width: WIDTH - 190, height: 26 * queries.length, xMax: longest.max, yMax: 1 };
  const bars = queries.flatMap((query, i) => {
    const y = top + 26 * i + 4;
    let fromMs = 0;
    const parts = PARTS.map(([part, name], j) => {
      const ms = query.timing[part];
      const x = xOf(panel, fromMs);
      fromMs += ms;
      return rect(x, y, xOf(panel, fromMs) - x, 18, `fill="${colourOf(j)}"`, `${name}: ${formatMs(ms)}`);
    });
    return [
      svgText(142, y + 13, nameOf(query), 'dim', 'end'),
      ...parts,
      svgText(xOf(panel, fromMs) + 6, y + 13, formatMs(fromMs), 'tick'),
    ];
  });
  const x = { step: longest.step, label: (ms: number) => `${Number(ms.toFixed(2))} ms` };
  return svg(WIDTH, top + panel.height + 28, 'where the time goes', [
    names.svg,
    axes({ ...panel, yMax: 0.5 }, { title: 'Where the time of an answer goes, mean', yStep: 1, yLabel: () => '', x }),
    ...bars,
  ]);
}
