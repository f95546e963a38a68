import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { htmlPage, htmlTable } from '../../../deploy/drawing/index.ts';
import { escapeXml } from '../../../deploy/drawing/index.ts';
import { table } from '../../lib/stats.ts';
import type { KeptRow, Target } from '../results.ts';
import { groupFigure, timelineFigure } from './figures.ts';
import { figuresOf, notesOf } from './table.ts';

/** A row of the evaluation that has not been run is named all the same. */
export interface Listed {
  readonly id: string;
  readonly title: string;
  /** What is asked of it, for as long as it has not been run. */
  readonly asked?: readonly Omit<Target, 'reached' | 'met'>[];
}

export function keepRow(folder: string, row: KeptRow): void {
  mkdirSync(`${folder}/data`, { recursive: true });
  writeFileSync(`${folder}/data/${row.id}.json`, `${JSON.stringify(row, undefined, 1)}\n`);
  const cells = row.groups.flatMap(({ name, cells }) =>
    cells.map(({ x, system, value, low, high, note }) => [
      name,
      x,
      system,
      value ?? '',
      low ?? '',
      high ?? '',
      row.unit,
      note ?? '',
    ]),
  );
  const lines = [['group', row.xName, 'system', 'value', 'low', 'high', 'unit', 'note'], ...cells].map(cells =>
    cells.map(csvCell).join(','),
  );
  writeFileSync(`${folder}/data/${row.id}.csv`, `${lines.join('\n')}\n`);
}

const csvCell = (value: string | number): string =>
  /[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);

/** The report of all rows that were kept: README.md, index.html, and the pictures as files. */
export function writeReport(folder: string, listed: readonly Listed[]): void {
  const rows = listed.map(one => ({ ...one, kept: readRow(folder, one.id) }));
  const pictures = `${folder}/figures`;
  rmSync(pictures, { recursive: true, force: true });
  mkdirSync(pictures, { recursive: true });
  const drawn = rows.map(({ id, title, asked = [], kept }) => {
    const drawings = kept
      ? [
          ...kept.groups
            .filter(({ cells }) => cells.some(({ value }) => value !== null))
            .filter(group => group.drawn ?? true)
            .map(group => groupFigure(kept, group)),
          ...(kept.timelines ?? []).map(timelineFigure),
        ]
      : [];
    const files = drawings.map((drawing, i) => {
      const file = `figures/${id}-${i + 1}.svg`;
      writeFileSync(`${folder}/${file}`, `${drawing}\n`);
      return file;
    });
    return { id, title, asked, kept, drawings, files };
  });
  writeFileSync(`${folder}/README.md`, markdownOf(drawn));
  writeFileSync(`${folder}/index.html`, pageOf(drawn));
}

interface Drawn extends Required<Listed> {
  readonly kept: KeptRow | undefined;
  readonly drawings: readonly string[];
  readonly files: readonly string[];
}

const targetsOf = ({ kept, asked }: Drawn): readonly Target[] =>
  kept?.targets ?? asked.map(one => ({ ...one, reached: '', met: null }));

const INTRODUCTION = [
  'The evaluation of Nexus (SOSP 2019), run again with our production actors on **emulated devices**, a simulated bus and virtual time. No figure of ours on this page was measured on a GPU. ' +
    'An emulated device takes exactly the time that its curve ℓ(b) = α·b + β says; which curves are measured and which are assumed stands with each row.',
  '*Nexus* here is our own rebuild of its rules, on the same emulated devices and arrivals: ratios between columns of one table compare like with like. What the papers report was measured on their hardware, ' +
    'with their models; it stands beside for orientation and can’t be compared with our rates.',
  'Goodput: the highest rate with at least 99 % of the frames in time, found by search; the mean over the seeds, with their range in brackets. An asterisk: a remark stands below the table.',
];

const TARGET_HEADER = ['', 'target', 'reached', ''];
const targetRow = ({ what, target, reached, met }: Target): string[] => [
  what,
  target,
  reached,
  met === null ? 'not run' : met ? 'met' : '**missed**',
];

const madeOf = ({ made: { commit, seeds, framesMin, spentS } }: KeptRow): string =>
  `Run at ${commit}, seeds ${seeds.join(', ')}, at least ${framesMin.toLocaleString('en-GB')} frames a point; ${Math.round(spentS)} s of processor time.`;

function markdownOf(rows: readonly Drawn[]): string {
  const targets = rows.flatMap(targetsOf);
  const missing = rows.filter(({ kept }) => !kept);
  const parts = [
    '# The evaluation: a cluster in a box',
    'Written by `npm run bench:cluster` ([how](../../bench/cluster/README.md)); the same with pictures in one file: [index.html](index.html); the figures as JSON and CSV: [data](data).',
    ...INTRODUCTION,
    '## Targets',
    table(TARGET_HEADER, targets.map(targetRow)),
    ...(missing.length > 0 ? [`Not yet run: ${missing.map(({ title }) => title).join('; ')}.`] : []),
    ...rows.flatMap(drawn => (drawn.kept ? rowMarkdown(drawn, drawn.kept) : [])),
  ];
  return `${parts.join('\n\n')}\n`;
}

function rowMarkdown({ files }: Drawn, kept: KeptRow): string[] {
  const pictures = files.map(file => `![${kept.title}](${file})`);
  const groups = kept.groups.flatMap(group => {
    const { header, rows } = figuresOf(kept, group);
    const notes = notesOf(kept, group).map(note => `- \\* ${note}`);
    return [`**${group.name}** (${kept.unit})`, table(header, rows), ...(notes.length > 0 ? [notes.join('\n')] : [])];
  });
  return [
    `## ${kept.title}`,
    kept.about.join(' '),
    ...(kept.paper === undefined ? [] : [`*The paper, on its hardware:* ${kept.paper}`]),
    ...groups,
    ...pictures,
    ...(kept.remarks ?? []),
    `<sub>${madeOf(kept)}</sub>`,
  ];
}

function pageOf(rows: readonly Drawn[]): string {
  const targets = rows.flatMap(targetsOf);
  const plain = (text: string): string => text.replaceAll('*', '');
  const missing = rows.filter(({ kept }) => !kept);
  return htmlPage('The evaluation', 'a cluster in a box, on emulated devices', [
    ...INTRODUCTION.map(text => `<p>${escapeXml(plain(text))}</p>`),
    htmlTable(
      'Targets',
      TARGET_HEADER,
      targets.map(target => targetRow(target).map(plain)),
    ),
    ...(missing.length > 0 ? [`<p>Not yet run: ${escapeXml(missing.map(({ title }) => title).join('; '))}.</p>`] : []),
    ...rows.flatMap(({ kept, drawings }) =>
      kept
        ? [
            `<h2>${escapeXml(kept.title)}</h2><p>${escapeXml(kept.about.join(' '))}</p>`,
            ...(kept.paper === undefined
              ? []
              : [`<p class="dim">The paper, on its hardware: ${escapeXml(kept.paper)}</p>`]),
            ...drawings.map(drawing => `<div class="picture">${drawing}</div>`),
            ...kept.groups.map(group => {
              const { header, rows } = figuresOf(kept, group);
              const notes = notesOf(kept, group).map(note => `<br>* ${escapeXml(note)}`);
              return (
                htmlTable(`${group.name} (${kept.unit})`, header, rows) +
                (notes.length > 0 ? `<p class="dim">${notes.join('')}</p>` : '')
              );
            }),
            ...(kept.remarks ?? []).map(remark => `<p>${escapeXml(plain(remark))}</p>`),
            `<p class="dim">${escapeXml(madeOf(kept))}</p>`,
          ]
        : [],
    ),
  ]);
}

function readRow(folder: string, id: string): KeptRow | undefined {
  const file = `${id}.json`;
  if (!readdirSync(`${folder}/data`).includes(file)) return undefined;
  return JSON.parse(readFileSync(`${folder}/data/${file}`, 'utf8')) as KeptRow;
}
