import type { CapacityHost, Workload } from '../../allocator/capacity/index.ts';
import { clip, colourOf, escapeXml, svgText } from '../drawing/index.ts';
import { anatomyOf, groupHosts, type HostGroup } from './anatomy.ts';
import type { Planned } from './output.ts';
import { formatBytes, formatMs, formatPercent } from '../terminal/index.ts';

/** Rows beyond this are summed up in one line: nobody looks at them. */
const ROWS_MAX = 120;
/** Of a cycle with more runs the first are drawn: the others would be thinner than a hair. */
const RUNS_MAX = 500;
const WIDTH = 1120;
const ROW = 72;
const TOP = 118;
/** Columns: name, duty cycle, memory. */
const [LABEL_X, CYCLE_X, CYCLE_W, MEMORY_X, MEMORY_W] = [16, 236, 560, 836, 268] as const;

/** One colour per model, the same in every picture of one workload; neighbours in the list are far apart in hue. */
function coloursOf(workload: Workload): (model: string) => string {
  const models = new Set<string>();
  for (const session of workload.sessions) models.add(session.model);
  for (const group of workload.prefixes)
    for (const name of [group.prefix, ...group.suffixes.values()]) models.add(name);
  const index = new Map([...models].sort().map((model, i) => [model, i]));
  return model => colourOf(index.get(model) ?? index.size);
}

/**
 * Each GPU of a plan as a picture of its own file, without scripts or fonts from elsewhere: what runs when in a cycle,
 * and what its memory holds. GPUs that do the same are drawn once.
 */
export function planSvg({ plan, prepared: { workload } }: Planned, standalone = true): string {
  const groups = groupHosts(plan.hosts);
  const shown = groups.slice(0, ROWS_MAX);
  const colour = coloursOf(workload);
  const legend = legendOf(shown, workload, colour, TOP + shown.length * ROW + 34);
  const hidden = groups.slice(ROWS_MAX).reduce((sum, group) => sum + group.hosts.length, 0);
  const more = hidden > 0 ? svgText(LABEL_X, TOP + shown.length * ROW + 14, `… and ${hidden} more`, 'dim') : '';
  const title = `${plan.policy}: ${plan.gpus} ${plan.gpus === 1 ? 'GPU' : 'GPUs'}, ${plan.costPerHour.toFixed(2)} an hour`;
  const refused = plan.refused.length === 0 ? '' : ` · ${plan.refused.length} refused`;
  const bound = `No plan can do with less than ${plan.bound.gpus.toFixed(1)} GPUs and ${plan.bound.costPerHour.toFixed(2)} an hour${refused}`;
  const size = `viewBox="0 0 ${WIDTH} ${legend.bottom}" width="${WIDTH}" height="${legend.bottom}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${escapeXml(title)}" class="plan">`,
    `<style>${STYLE}</style>`,
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">' +
      '<rect width="6" height="6" class="hatch-back"/><line x1="0" y1="0" x2="0" y2="6" class="hatch"/></pattern></defs>',
    standalone ? `<rect width="${WIDTH}" height="${legend.bottom}" class="page"/>` : '',
    svgText(LABEL_X, 34, title, 'title'),
    svgText(LABEL_X, 56, bound, 'dim'),
    svgText(LABEL_X, 96, 'Devices', 'head'),
    svgText(CYCLE_X, 96, 'What each does in one cycle: batches, one after the other', 'head'),
    svgText(MEMORY_X, 96, 'Memory of each', 'head'),
    `<line x1="${LABEL_X}" y1="104" x2="${WIDTH - LABEL_X}" y2="104" class="rule"/>`,
    ...shown.map((group, i) => row(group, TOP + i * ROW, workload, colour)),
    more,
    legend.svg,
    '</svg>',
    '',
  ].join('\n');
}

function row({ hosts, first }: HostGroup, y: number, workload: Workload, colour: (model: string) => string): string {
  const zones = [...new Set(hosts.map(host => host.zone))].filter(zone => zone !== 'default').join(', ');
  const [name, where] =
    hosts.length === 1
      ? [first.id, first.kind]
      : [`${hosts.length} × ${first.kind}`, first.pool === first.id ? 'each by itself' : first.pool];
  const price = hosts.reduce((sum, host) => sum + host.pricePerHour, 0);
  const revocable = hosts.filter(host => host.revocable).length;
  const some = revocable === hosts.length ? ' · revocable' : ` · ${revocable} revocable`;
  return [
    '<g>',
    svgText(LABEL_X, y + 14, clip(name, 27), 'name'),
    svgText(LABEL_X, y + 30, clip(zones === '' ? where : `${where} · ${zones}`, 33), 'dim'),
    svgText(LABEL_X, y + 45, `${price.toFixed(2)} an hour${revocable === 0 ? '' : some}`, 'tick'),
    cycle(first, y, workload, colour),
    memory(first, y, workload, colour),
    '</g>',
  ].join('');
}

function cycle(host: CapacityHost, y: number, workload: Workload, colour: (model: string) => string): string {
  const { runs } = anatomyOf(host, workload.curves);
  const busyMs = runs.reduce((sum, run) => sum + run.ms, 0);
  const dutyMs = Math.max(host.dutyMs, busyMs, 1e-9);
  const parts = [`<rect x="${CYCLE_X}" y="${y}" width="${CYCLE_W}" height="24" rx="3" class="track"/>`];
  let x: number = CYCLE_X;
  for (const run of runs.slice(0, RUNS_MAX)) {
    const width = (CYCLE_W * run.ms) / dutyMs;
    const what = `${run.name}: batch ${run.batch} of ${run.model}, ${formatMs(run.ms)} of each ${formatMs(dutyMs)}`;
    const label = clip(`${run.name} ×${run.batch}`, Math.floor((width - 8) / 6.6));
    parts.push(
      `<g><title>${escapeXml(what)}</title>`,
      `<rect x="${x.toFixed(2)}" y="${y}" width="${Math.max(0.5, width - 1).toFixed(2)}" height="24" rx="3" fill="${colour(run.model)}"/>`,
      width > 40 ? svgText(x + 5, y + 16, label, 'in') : '',
      '</g>',
    );
    x += width;
  }
  if (runs.length > RUNS_MAX) {
    const what = `and ${runs.length - RUNS_MAX} more runs`;
    const width = CYCLE_X + (CYCLE_W * busyMs) / dutyMs - x;
    parts.push(
      `<g><title>${what}</title><rect x="${x.toFixed(2)}" y="${y}" width="${width.toFixed(2)}" height="24" fill="url(#hatch)"/></g>`,
    );
  }
  const worst = host.sessions.reduce((most, session) => Math.max(most, session.latencyMs), 0);
  parts.push(
    svgText(CYCLE_X, y + 39, '0', 'tick'),
    svgText(
      CYCLE_X + CYCLE_W / 2,
      y + 39,
      `${formatPercent(host.occupancy)} busy, answers within ${formatMs(worst)}`,
      'tick',
      'middle',
    ),
    svgText(CYCLE_X + CYCLE_W, y + 39, formatMs(dutyMs), 'tick', 'end'),
  );
  return parts.join('');
}

function memory(host: CapacityHost, y: number, workload: Workload, colour: (model: string) => string): string {
  const { persistent, ephemeralBytes } = anatomyOf(host, workload.curves);
  const held = persistent.reduce((sum, part) => sum + part.bytes, 0);
  const capacity = host.memoryBytes;
  const scale = MEMORY_W / Math.max(capacity, held + ephemeralBytes, 1);
  const parts = [`<rect x="${MEMORY_X}" y="${y}" width="${MEMORY_W}" height="24" rx="3" class="track"/>`];
  let x: number = MEMORY_X;
  const add = (bytes: number, fill: string, what: string): void => {
    if (bytes <= 0) return;
    const width = Math.max(0.5, bytes * scale - 0.5).toFixed(2);
    const box = `<rect x="${x.toFixed(2)}" y="${y}" width="${width}" height="24" rx="2" fill="${fill}"/>`;
    parts.push(`<g><title>${escapeXml(what)}</title>${box}</g>`);
    x += bytes * scale;
  };
  for (const { model, bytes } of persistent) add(bytes, colour(model), `${model}: ${formatBytes(bytes)} held`);
  add(ephemeralBytes, 'url(#hatch)', `${formatBytes(ephemeralBytes)} working memory of the largest run`);
  const used = `${formatBytes(held)} held + ${formatBytes(ephemeralBytes)} working`;
  parts.push(
    svgText(MEMORY_X, y + 39, used, 'tick'),
    svgText(MEMORY_X + MEMORY_W, y + 39, formatBytes(capacity), 'tick', 'end'),
  );
  return parts.join('');
}

function legendOf(groups: readonly HostGroup[], workload: Workload, colour: (model: string) => string, top: number) {
  const models = [
    ...new Set(groups.flatMap(group => anatomyOf(group.first, workload.curves).runs.map(run => run.model))),
  ].sort();
  const entries = [
    ...models.slice(0, 60).map(model => [clip(model, 30), `fill="${colour(model)}"`] as const),
    ['working memory of the largest batch', 'fill="url(#hatch)"'] as const,
    ['idle, free', 'class="track"'] as const,
  ];
  let [x, y] = [LABEL_X as number, top];
  const parts: string[] = [];
  for (const [what, fill] of entries) {
    const width = 40 + what.length * 6.8;
    if (x + width > WIDTH - 16) [x, y] = [LABEL_X, y + 22];
    parts.push(`<rect x="${x.toFixed(1)}" y="${y - 10}" width="12" height="12" rx="3" ${fill}/>`);
    parts.push(svgText(x + 18, y, what, 'dim'));
    x += width;
  }
  return { svg: parts.join(''), bottom: y + 24 };
}

/** No variables, so that viewers that aren't browsers can draw it too. */
const STYLE = `
.plan { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; font-family: system-ui, sans-serif; font-size: 12px; }
.plan text { fill: #1c2430; } .plan .dim, .plan .tick, .plan .head { fill: #66707e; }
.plan .title { font-size: 18px; font-weight: 600; } .plan .name { font-weight: 600; } .plan .tick { font-size: 10.5px; }
.plan .head { font-weight: 600; } .plan .rule { stroke: #dfe3e8; }

.plan .in { fill: #10151c; font-size: 11px; pointer-events: none; }
.plan .track { fill: #e8ebef; } .plan .page { fill: #ffffff; }
.plan .hatch-back { fill: #cfd5dc; } .plan .hatch { stroke: #8a94a2; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
.plan text { fill: #e6e9ee; }
.plan .dim, .plan .tick, .plan .head { fill: #98a2b1; } .plan .in { fill: #10151c; }
.plan .track { fill: #2a313c; } 
.plan .rule { stroke: #2f3743; } .plan .page { fill: #151a21; } .plan .hatch-back { fill: #3a4350; } .plan .hatch { stroke: #6b7686; }
}
`;
