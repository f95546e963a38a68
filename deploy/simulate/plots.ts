import { DARK, escapeXml, LIGHT, svgText } from '../drawing/index.ts';

/** A rectangle of a drawing with its scales: x from 0 to `xMax`, y from 0 to `yMax` upwards. */
export interface Panel {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly xMax: number;
  readonly yMax: number;
}

export const xOf = ({ left, width, xMax }: Panel, x: number): number => left + (width * x) / xMax;
export const yOf = ({ top, height, yMax }: Panel, y: number): number =>
  top + height * (1 - Math.min(1, Math.max(0, y / yMax)));

const at = (value: number): string => value.toFixed(1);

/** A round number of at least `max`, and how far apart its marks are. */
export function roundUp(max: number, marks = 4): { max: number; step: number } {
  const rough = Math.max(max, 1e-9) / marks;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 2.5, 5, 10].find(factor => factor * unit >= rough * (1 - 1e-9))!;
  return { max: step * Math.ceil(max / step - 1e-9) || step, step };
}

export const line = (x1: number, y1: number, x2: number, y2: number, look: string): string =>
  `<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" class="${look}"/>`;

export const rect = (x: number, y: number, width: number, height: number, rest: string, title?: string): string => {
  const shape = `<rect x="${at(x)}" y="${at(y)}" width="${at(Math.max(0, width))}" height="${at(Math.max(0, height))}" ${rest}`;
  return title === undefined ? `${shape}/>` : `${shape}><title>${escapeXml(title)}</title></rect>`;
};

/** Marks and lines of both axes, with the title above. */
export function axes(
  panel: Panel,
  facts: { title: string; yStep: number; yLabel: (y: number) => string; x?: Axis },
): string {
  const { left, top, width, height, xMax, yMax } = panel;
  const parts = [svgText(left, top - 8, facts.title, 'head')];
  for (let y = 0; y <= yMax * (1 + 1e-9); y += facts.yStep) {
    parts.push(line(left, yOf(panel, y), left + width, yOf(panel, y), 'rule'));
    parts.push(svgText(left - 6, yOf(panel, y) + 3.5, facts.yLabel(y), 'tick', 'end'));
  }
  if (facts.x) {
    for (let x = 0; x <= xMax * (1 + 1e-9); x += facts.x.step) {
      parts.push(line(xOf(panel, x), top + height, xOf(panel, x), top + height + 4, 'axis'));
      parts.push(svgText(xOf(panel, x), top + height + 16, facts.x.label(x), 'tick', 'middle'));
    }
  }
  parts.push(line(left, top + height, left + width, top + height, 'axis'));
  return parts.join('');
}

export interface Axis {
  readonly step: number;
  readonly label: (x: number) => string;
}

/** A step line through values of equal spans of x. */
export function steps(panel: Panel, values: readonly number[], span: number): [number, number][] {
  return values.flatMap((value, i): [number, number][] => [
    [xOf(panel, Math.min(panel.xMax, i * span)), yOf(panel, value)],
    [xOf(panel, Math.min(panel.xMax, (i + 1) * span)), yOf(panel, value)],
  ]);
}

const path = (points: readonly (readonly [number, number])[]): string =>
  points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${at(x)} ${at(y)}`).join('');

export const curve = (points: readonly (readonly [number, number])[], colour: string): string =>
  points.length === 0 ? '' : `<path d="${path(points)}" fill="none" stroke="${colour}" stroke-width="1.6"/>`;

/** Between two lines over the same x. */
export const area = (
  upper: readonly (readonly [number, number])[],
  lower: readonly (readonly [number, number])[],
  fill: string,
  title: string,
): string =>
  upper.length === 0
    ? ''
    : `<path d="${path([...upper, ...lower.toReversed()])}Z" fill="${fill}" fill-opacity=".8"><title>${escapeXml(title)}</title></path>`;

export interface LegendEntry {
  readonly name: string;
  readonly colour: string;
}

/** Names with their colours in lines of `width`. */
export function legend(
  entries: readonly LegendEntry[],
  left: number,
  top: number,
  width: number,
): { svg: string; height: number } {
  let [x, y] = [left, top];
  const parts: string[] = [];
  for (const { name, colour } of entries) {
    const wide = 26 + name.length * 6.6;
    if (x + wide > left + width && x > left) [x, y] = [left, y + 18];
    parts.push(rect(x, y - 9, 10, 10, `rx="2" fill="${colour}"`), svgText(x + 15, y, name, 'dim'));
    x += wide;
  }
  return { svg: parts.join(''), height: y - top + 18 };
}

/** A drawing of its own, without scripts or fonts from elsewhere. No variables, so that viewers that aren't browsers can draw it. */
export const svg = (width: number, height: number, title: string, parts: readonly string[]): string => {
  const size = `viewBox="0 0 ${width} ${Math.ceil(height)}" width="${width}" height="${Math.ceil(height)}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${escapeXml(title)}" class="plot">`,
    `<style>${STYLE}</style>`,
    rect(0, 0, width, height, 'class="page"'),
    ...parts,
    '</svg>',
  ].join('\n');
};

const themed = ({ ink, dim, rule, track, page, alarm }: typeof LIGHT, axis: string): string => `
.plot text { fill: ${ink}; } .plot .dim, .plot .tick { fill: ${dim}; } .plot .note { fill: ${alarm}; }
.plot .rule { stroke: ${rule}; } .plot .axis { stroke: ${axis}; } .plot .mark, .plot .limit { stroke: ${alarm}; }
.plot .track { fill: ${track}; } .plot .page { fill: ${page}; } .plot .warm { fill: ${dim}; }`;

const STYLE = `
.plot { font-family: system-ui, -apple-system, 'Segoe UI', sans-serif; font-size: 12px; }
.plot .tick, .plot .note { font-size: 10.5px; } .plot .head { font-weight: 600; }
.plot .mark { stroke-dasharray: 3 3; } .plot .limit { stroke-width: 1.4; } .plot .warm { fill-opacity: .09; }
${themed(LIGHT, DARK.dim)}
@media (prefers-color-scheme: dark) {${themed(DARK, LIGHT.dim)}
}
`;
