import { clip, colourOf, escapeXml, svgText } from '../drawing/index.ts';
import { formatBytes, formatPercent } from '../terminal/index.ts';
import { proposals, shareOf } from './cuts.ts';
import { across, formatQuantity, shortHash } from './report.ts';
import { bend, leavesOf, outline, placeGroup, type Branch, type Trunk } from './river.ts';
import { totals, type ModelFigures, type StudiedGroup, type Study } from './study.ts';

const WIDTH = 1120;
const MARGIN = 20;
const ROW = 50;
const BEND = 70;
/** Right of the branches: names and figures. */
const LABEL = 250;
const HEAD = 64;
const GROUP_HEAD = 58;
const GROUP_FOOT = 74;
const BAR = 12;
/** Between two percentages below a trunk. */
const TICK_GAP = 46;
/** Branches beyond these are told of in the table. */
const MEMBERS_MAX = 40;

/**
 * Trunk and branches of each group, as rivers: along x goes the compute, as wide as a river is what crosses there for one input
 * (logarithmic), marks are places to cut. One file without scripts or fonts from elsewhere.
 */
export function prefixSvg({ models, groups }: Study, standalone = true): string {
  const parts: string[] = [];
  let y = HEAD;
  // The first one is about that of the trunks.
  const colours = new Map(models.map(({ name }, i) => [name, colourOf(i + 1)]));
  const colour = (name: string): string => colours.get(name)!;
  for (const group of groups) {
    parts.push(drawGroup(group, models, colour, y));
    y += GROUP_HEAD + rowsOf(group) * ROW + GROUP_FOOT;
  }
  const alone = models.filter(model => model.alone !== undefined);
  for (const { name, alone: why } of alone) {
    parts.push(
      svgText(MARGIN, y + 16, clip(name, 28), 'name'),
      svgText(MARGIN + 216, y + 16, clip(`shares nothing: ${why}`, 120), 'dim'),
    );
    y += 26;
  }
  const height = y + 20;
  const grouped = models.length - alone.length;
  const title = `${grouped} of ${models.length} models share a trunk`;
  const { apart, least } = totals(groups);
  const saved =
    groups.length === 0
      ? 'nothing is shared'
      : `${formatBytes(apart)} of weights apart, ${formatBytes(least)} in the best groups`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" ` +
      `aria-label="${escapeXml(title)}" class="rivers">`,
    `<style>${STYLE}</style>`,
    standalone ? `<rect width="${WIDTH}" height="${height}" class="page"/>` : '',
    svgText(MARGIN, 32, title, 'title'),
    svgText(MARGIN, 54, saved, 'dim'),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

const rowsOf = (group: StudiedGroup): number => Math.min(MEMBERS_MAX, leavesOf(group).length);

function drawGroup(
  group: StudiedGroup,
  models: readonly ModelFigures[],
  colour: (name: string) => string,
  top: number,
): string {
  const frame = { left: MARGIN, right: WIDTH - LABEL, top: top + GROUP_HEAD, row: ROW, bend: BEND };
  const trunk = placeGroup(group, models, frame);
  const { group: shared } = group;
  const deepest = shared.cuts[0]!;
  const shares = Object.values(deepest.shares);
  const share = [Math.min(...shares), Math.max(...shares)].map(formatPercent);
  const what =
    `${deepest.prefix.nodes} nodes, ${formatQuantity(deepest.prefix.parameters)} parameters, ${formatBytes(deepest.prefix.parameterBytes)} shared; ` +
    `${share[0] === share[1] ? share[0] : share.join(' to ')} of the compute`;
  const bottom = frame.top + rowsOf(group) * ROW;
  return [
    `<line x1="${MARGIN}" x2="${WIDTH - MARGIN}" y1="${top + 4}" y2="${top + 4}" class="rule"/>`,
    svgText(MARGIN, top + 28, `Group ${group.id}: ${shared.members.length} models`, 'name'),
    svgText(MARGIN + 150, top + 28, what, 'dim'),
    drawTrunk(trunk, models, colour, 0),
    ...bars(group, models, colour, bottom + 18),
  ].join('\n');
}

function drawTrunk(
  trunk: Trunk,
  models: readonly ModelFigures[],
  colour: (name: string) => string,
  depth: number,
): string {
  const level = trunk.from.x === trunk.reaches[0]?.x || depth === 0 ? trunk.from.x : trunk.from.x + BEND;
  const look = `trunk depth${Math.min(depth, 2)}`;
  return [
    ...trunk.leaves.map(leaf => drawLeaf(leaf, models, colour)),
    ...trunk.trunks.map(one => drawTrunk(one, models, colour, depth + 1)),
    depth === 0 ? '' : `<path d="${bend(trunk, level)}" class="${look}"/>`,
    `<path d="${outline(trunk, level)}" class="${look}"/>`,
    marks(trunk, level),
  ].join('\n');
}

function drawLeaf(leaf: Branch, models: readonly ModelFigures[], colour: (name: string) => string): string {
  const model = models.find(({ name }) => name === leaf.name)!;
  const level = leaf.from.x + BEND;
  const fill = colour(leaf.name);
  return [
    `<g><title>${escapeXml(`${leaf.name}: ${model.nodes} nodes, ${formatQuantity(model.parameters)} parameters, ${formatBytes(model.bytes)}`)}</title>`,
    `<path d="${bend(leaf, level)}" fill="${fill}"/><path d="${outline(leaf, level)}" fill="${fill}"/>`,
    svgText(leaf.end + 12, leaf.y - 2, clip(leaf.name, 30), 'name'),
    svgText(
      leaf.end + 12,
      leaf.y + 14,
      `${formatQuantity(model.parameters)} parameters, ${formatQuantity(model.cost)} MACs`,
      'dim',
    ),
    '</g>',
  ].join('');
}

/** Where it may be cut: a dot for each proposal, scissors where it is best. */
function marks({ group, reaches, y, end }: Trunk, level: number): string {
  const { group: shared, cut } = group;
  const deepest = shared.cuts[0]!.prefix.cost;
  const first = reaches[0]?.x ?? level;
  const scale = (end - first) / Math.max(1, deepest - group.begins);
  const place = (cost: number): number => Math.min(end, first + Math.max(0, cost - group.begins) * scale);
  const dots = proposals(group)
    .filter(one => one !== cut && one.prefix.cost > group.begins)
    .map(one => {
      const x = place(one.prefix.cost).toFixed(1);
      const tip = `${shortHash(one)}: ${formatPercent(shareOf(one))} before, ${across(one)} across`;
      return `<g><title>${escapeXml(tip)}</title><circle cx="${x}" cy="${y}" r="3" class="dot"/></g>`;
    });
  const x = place(cut.prefix.cost);
  let last = x + TICK_GAP;
  const ticks = [cut, ...proposals(group).filter(one => one !== cut)].flatMap(one => {
    const at = place(one.prefix.cost);
    if (one !== cut && (one.prefix.cost <= group.begins || last - at < TICK_GAP || at > x)) return [];
    last = at;
    return [svgText(Math.max(MARGIN + 10, at), y + 36, formatPercent(shareOf(one)), 'tick', 'middle')];
  });
  const label = `cut ${shortHash(cut)}, ${across(cut)} an input`;
  return [
    ...dots,
    ...ticks,
    `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${y - 24}" y2="${y + 24}" class="cut"/>`,
    svgText(x - 6, y - 22, label, 'tick', 'end'),
  ].join('');
}

/** Weights apart, each model's whole; and together, the trunk once. */
function bars(
  group: StudiedGroup,
  models: readonly ModelFigures[],
  colour: (name: string) => string,
  y: number,
): string[] {
  const { apartBytes, togetherBytes, cut } = group;
  const members = leavesOf(group).map(name => models.find(model => model.name === name)!);
  const [left, right] = [MARGIN + 90, WIDTH - LABEL];
  const scale = (right - left) / Math.max(1, apartBytes);
  const bar = (row: number, parts: readonly { bytes: number; fill: string; what: string }[]): string => {
    let x = left;
    return parts
      .filter(({ bytes }) => bytes > 0)
      .map(({ bytes, fill, what }) => {
        const width = bytes * scale;
        const rect = `<rect x="${x.toFixed(1)}" y="${y + row * 20}" width="${Math.max(1, width - 1).toFixed(1)}" height="${BAR}" rx="2" ${fill}/>`;
        x += width;
        return `<g><title>${escapeXml(`${what}: ${formatBytes(bytes)}`)}</title>${rect}</g>`;
      })
      .join('');
  };
  const trunk = cut.prefix.parameterBytes;
  const own = members.map(({ name, bytes }) => ({ bytes: bytes - trunk, fill: `fill="${colour(name)}"`, what: name }));
  return [
    svgText(MARGIN, y + 10, 'apart', 'dim'),
    svgText(MARGIN, y + 30, 'together', 'dim'),
    bar(
      0,
      members.map(({ name, bytes }) => ({ bytes, fill: `fill="${colour(name)}"`, what: name })),
    ),
    bar(1, [{ bytes: trunk, fill: 'class="trunk depth0"', what: 'trunk' }, ...own]),
    svgText(left + apartBytes * scale + 12, y + 10, formatBytes(apartBytes), 'dim'),
    svgText(left + togetherBytes * scale + 12, y + 30, `${formatBytes(togetherBytes)} of weights`, 'dim'),
  ];
}

/** No variables, so that viewers that aren't browsers can draw it too. */
const STYLE = `
.rivers { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; font-family: system-ui, sans-serif; font-size: 12px; }
.rivers text { fill: #1c2430; } .rivers .dim, .rivers .tick { fill: #66707e; } .rivers .tick { font-size: 11px; }
.rivers .title { font-size: 18px; font-weight: 600; } .rivers .name { font-weight: 600; font-size: 13px; }
.rivers .page { fill: #ffffff; } .rivers .rule { stroke: #dfe3e8; }
.rivers .depth0 { fill: #33536f; } .rivers .depth1 { fill: #4c7a9c; } .rivers .depth2 { fill: #6b9cbc; }
.rivers .dot { fill: #ffffff; stroke: #33536f; stroke-width: 1.5; } .rivers .cut { stroke: #d1495b; stroke-width: 2; stroke-dasharray: 4 3; }
@media (prefers-color-scheme: dark) {
.rivers text { fill: #e6e9ee; } .rivers .dim, .rivers .tick { fill: #98a2b1; } .rivers .page { fill: #151a21; } .rivers .rule { stroke: #2f3743; }
.rivers .depth0 { fill: #6d93b3; } .rivers .depth1 { fill: #86abc8; } .rivers .depth2 { fill: #a3c2d9; } .rivers .dot { fill: #151a21; stroke: #a3c2d9; }
}
`;
