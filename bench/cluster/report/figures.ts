import { colourOf, escapeXml, GREY, svgText } from '../../../deploy/drawing/index.ts';
import {
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
  type Panel,
} from '../../../deploy/simulate/plots.ts';
import { cellOf, type Cell, type Group, type RowResult, type Timeline } from '../results.ts';

const WIDTH = 760;
const LEFT = 66;
const PLOT = { left: LEFT, width: WIDTH - LEFT - 20 };
const HEIGHT = 230;

/** A system has the same colour in all pictures. */
const COLOURS: Readonly<Record<string, string>> = {
  ours: colourOf(0),
  nexus: colourOf(4),
  deferred: colourOf(2),
  bound: GREY,
};
const OTHERS = [1, 5, 3, 6, 7, 9].map(colourOf);

export function colourOfSystem(id: string, systems: RowResult['systems']): string {
  const others = systems.filter(system => !(system.id in COLOURS));
  return COLOURS[id] ?? OTHERS[others.findIndex(system => system.id === id) % OTHERS.length] ?? OTHERS[0]!;
}

/** Numbers along x: lines with a dot for each figure; else bars side by side. */
export function groupFigure(row: RowResult, original: Group): string {
  const { group, unit } = drawn(row, original);
  const xs = [...new Set(group.cells.map(({ x }) => x))];
  const systems = row.systems.filter(
    ({ id }) => id !== row.drawnOver && group.cells.some(cell => cell.system === id && cell.value !== null),
  );
  const most = Math.max(...group.cells.map(({ high, value }) => high ?? value ?? 0), 1e-9);
  const { max, step } = roundUp(most);
  const entries = systems.map(({ id, title }) => ({ name: title, colour: colourOfSystem(id, row.systems) }));
  const names = legend(entries, PLOT.left, 30, PLOT.width);
  const panel: Panel = { ...PLOT, top: 42 + names.height, height: HEIGHT, xMax: xs.length, yMax: max };
  const lines = xs.length > 1 && xs.every(x => typeof x === 'number');
  const marks = systems.map(({ id, title }, s) =>
    xs.map((x, i) => {
      const cell = cellOf(group, id, x);
      if (!cell || cell.value === null) return '';
      const colour = colourOfSystem(id, row.systems);
      const share = 0.8 / systems.length;
      const middle = xOf(panel, i + (lines ? 0.5 : 0.1 + share * (s + 0.5)));
      const what = `${title}, ${row.xName} ${x}: ${format(cell.value)} ${unit}`;
      return (
        (lines
          ? dot(panel, middle, cell.value, colour, what)
          : bar(panel, middle, (share * panel.width) / xs.length, cell.value, colour, what)) +
        whisker(panel, middle, cell)
      );
    }),
  );
  const links = systems.map(({ id }) => {
    const points = xs.flatMap((x, i): [number, number][] => {
      const value = cellOf(group, id, x)?.value;
      return value === undefined || value === null ? [] : [[xOf(panel, i + 0.5), yOf(panel, value)]];
    });
    return lines ? curve(points, colourOfSystem(id, row.systems)) : '';
  });
  const below = panel.top + panel.height;
  return svg(WIDTH, below + 44, `${row.title}: ${group.name}`, [
    svgText(PLOT.left, 14, `${row.title}: ${group.name}`, 'head'),
    names.svg,
    axes(panel, { title: '', yStep: step, yLabel: format }),
    ...xs.map((x, i) => svgText(xOf(panel, i + 0.5), below + 16, String(x), 'tick', 'middle')),
    svgText(PLOT.left + PLOT.width, below + 34, row.xName, 'dim', 'end'),
    svgText(PLOT.left, below + 34, `${unit} (emulated devices)`, 'dim'),
    ...links,
    ...marks.flat(),
  ]);
}

/** As it is, or in percent of one of the systems. */
function drawn({ unit, drawnOver, systems }: RowResult, group: Group): { group: Group; unit: string } {
  if (drawnOver === undefined) return { group, unit };
  const cells = group.cells.flatMap((cell): Cell[] => {
    const whole = cellOf(group, drawnOver, cell.x)?.value;
    const share = (value: number): number => (100 * value) / whole!;
    if (!whole || cell.value === null) return [];
    const range =
      cell.low === undefined || cell.high === undefined ? {} : { low: share(cell.low), high: share(cell.high) };
    return [{ x: cell.x, system: cell.system, value: share(cell.value), ...range }];
  });
  return { group: { ...group, cells }, unit: `% of the ${systems.find(({ id }) => id === drawnOver)!.title}` };
}

const dot = (panel: Panel, x: number, value: number, colour: string, what: string): string =>
  `<circle cx="${x.toFixed(1)}" cy="${yOf(panel, value).toFixed(1)}" r="3.2" fill="${colour}"><title>${escapeXml(what)}</title></circle>`;

const bar = (panel: Panel, middle: number, width: number, value: number, colour: string, what: string): string =>
  rect(
    middle - 0.45 * width,
    yOf(panel, value),
    0.9 * width,
    yOf(panel, 0) - yOf(panel, value),
    `rx="1.5" fill="${colour}"`,
    what,
  );

/** From the lowest to the highest of the seeds. */
const whisker = (panel: Panel, x: number, { low, high }: Cell): string =>
  low === undefined || high === undefined || high <= low ? '' : line(x, yOf(panel, low), x, yOf(panel, high), 'axis');

export function timelineFigure({ title, unit, bucketS, lines }: Timeline): string {
  const length = Math.max(...lines.map(({ values }) => values.length));
  const { max, step } = roundUp(Math.max(...lines.flatMap(({ values }) => values), 1e-9));
  const ids = lines.map(({ name }) => ({ id: name, title: name }));
  const colours = lines.map(({ name }) => colourOfSystem(name, ids));
  const names = legend(
    lines.map(({ name }, i) => ({ name, colour: colours[i]! })),
    PLOT.left,
    30,
    PLOT.width,
  );
  const panel: Panel = { ...PLOT, top: 42 + names.height, height: 150, xMax: length * bucketS, yMax: max };
  const xAxis = roundUp(panel.xMax, 8);
  return svg(WIDTH, panel.top + panel.height + 40, title, [
    svgText(PLOT.left, 14, title, 'head'),
    names.svg,
    axes(panel, { title: '', yStep: step, yLabel: format, x: { step: xAxis.step, label: x => `${x} s` } }),
    ...lines.map(({ values }, i) => curve(steps(panel, values, bucketS), colours[i]!)),
    svgText(PLOT.left, panel.top + panel.height + 34, unit, 'dim'),
  ]);
}

/** Three figures that count. */
export function format(value: number): string {
  if (value === 0) return '0';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-GB');
  return String(Number(value.toPrecision(3)));
}
