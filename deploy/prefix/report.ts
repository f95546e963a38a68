import { formatBytes, formatPercent, table, type Column, type Io } from '../terminal/index.ts';
import { bytesAcross, proposals, shareOf } from './cuts.ts';
import type { CutTensor, SharedCut } from '../../gpu-host/graph/index.ts';
import type { Measured, MeasuredRun } from './measure.ts';
import type { StudiedGroup, Study } from './study.ts';

const right = (title: string): Column => ({ title, align: 'right' });
const wide = (title: string): Column => ({ title, flexible: true });

/** `7.6M` of a count. */
export const formatQuantity = (count: number): string =>
  count >= 1e9
    ? `${(count / 1e9).toFixed(2)}G`
    : count >= 1e6
      ? `${(count / 1e6).toFixed(1)}M`
      : `${(count / 1e3).toFixed(1)}k`;

/** `[N,60,1,?]` */
export const dimsOf = ({ dims }: CutTensor): string => `[${dims.map(dim => dim ?? '?').join(',')}]`;

export const shortHash = ({ hash }: Pick<SharedCut, 'hash'>): string => hash.slice(0, 12);

export const across = (cut: SharedCut): string => {
  const bytes = bytesAcross(cut);
  return Number.isFinite(bytes) ? formatBytes(bytes) : '?';
};

/** `13.9+0.4 (1.02×)`: before and behind the cut, and both by the whole. */
const formatRun = ({ prefixMs, suffixMs, wholeMs }: MeasuredRun): string =>
  `${formatTime(prefixMs)}+${formatTime(suffixMs)} (${((prefixMs + suffixMs) / wholeMs).toFixed(2)}×)`;

const formatTime = (ms: number): string => ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0);

/** What was measured at each of these cuts: a column for each batch. */
export function measuredColumns(
  cuts: readonly SharedCut[],
  measured: Measured,
): { batches: number[]; cells: string[][] } {
  const batches = [...new Set(cuts.flatMap(({ hash }) => measured.get(hash)?.runs.map(({ batch }) => batch) ?? []))];
  const cellOf = ({ hash }: SharedCut, batch: number): string => {
    const run = measured.get(hash)?.runs.find(one => one.batch === batch);
    return run ? formatRun(run) : '';
  };
  return { batches, cells: cuts.map(cut => batches.map(batch => cellOf(cut, batch))) };
}

/** Sentences on cuts that could not be measured: one for each reason. */
export function unmeasured(cuts: readonly SharedCut[], measured: Measured): string[] {
  const reasons = new Map<string, string[]>();
  for (const cut of cuts) {
    const { error, member } = measured.get(cut.hash) ?? {};
    if (error === undefined) continue;
    const reason = `${member} can't be measured: ${error}`;
    reasons.set(reason, [...(reasons.get(reason) ?? []), shortHash(cut)]);
  }
  return [...reasons].map(([reason, hashes]) => `${hashes.join(', ')}: ${reason}`);
}

/** For people: the models, then each group with its candidate cuts and where members part. */
export function prefixReport({ models, groups }: Study, measured: Measured, io: Pick<Io, 'width' | 'style'>): string[] {
  const options = { width: io.width, paintTitle: io.style.dim };
  const rows = models.map(({ name, nodes, parameters, bytes, cost, alone }) => [
    name,
    String(nodes),
    formatQuantity(parameters),
    formatBytes(bytes),
    formatQuantity(cost),
    alone === undefined ? idsOf(groups, name).join(', ') : '–',
  ]);
  const columns = [
    wide('MODEL'),
    right('NODES'),
    right('PARAMETERS'),
    right('WEIGHTS'),
    right('MULT-ADDS'),
    right('GROUP'),
  ];
  return [
    ...table(columns, rows, options),
    ...models.flatMap(({ name, alone }) => (alone === undefined ? [] : [`${name} shares nothing: ${alone}`])),
    ...groups.flatMap(group => groupLines(group, measured, io)),
  ];
}

/** A table of its own: with these columns too the first would be cut off. */
function measuredLines(cuts: readonly SharedCut[], measured: Measured, io: Pick<Io, 'width' | 'style'>): string[] {
  const { batches, cells } = measuredColumns(cuts, measured);
  const failed = unmeasured(cuts, measured).map(line => io.style.yellow(line));
  if (batches.length === 0) return failed;
  const rows = cuts.map((cut, i) => [String(i + 1), shortHash(cut), ...cells[i]!]);
  const columns = [
    right('#'),
    { title: 'CUT' },
    ...batches.map(batch => right(batch === 1 ? 'ONE INPUT' : `${batch} INPUTS`)),
  ];
  return [
    io.style.dim('measured on one thread of this CPU, ms before + behind the cut (by the whole model):'),
    ...table(columns, rows, { width: io.width - 2, paintTitle: io.style.dim }),
    ...failed,
  ];
}

/** The groups that a model is in, the innermost ones. */
const idsOf = (groups: readonly StudiedGroup[], name: string): string[] =>
  groups.flatMap(({ id, group, inner }) => {
    if (!group.members.includes(name)) return [];
    const within = idsOf(inner, name);
    return within.length > 0 ? within : [id];
  });

function groupLines(studied: StudiedGroup, measured: Measured, io: Pick<Io, 'width' | 'style'>): string[] {
  const { id, group, cut, partings, apartBytes, togetherBytes, inner } = studied;
  const { bold, dim, green } = io.style;
  const deepest = group.cuts[0]!;
  const shares = Object.values(deepest.shares);
  const [least, most] = [Math.min(...shares), Math.max(...shares)].map(formatPercent);
  const cuts = proposals(studied);
  const rows = cuts.map((one, i) => [
    String(i + 1),
    shortHash(one),
    formatPercent(shareOf(one)),
    String(one.prefix.nodes),
    formatBytes(one.prefix.parameterBytes),
    across(one),
    one.tensors.map(dimsOf).join(' '),
    [one.exact ? 'exact' : one.insideFusion ? 'fused' : '', one === cut ? '←' : ''].join(' ').trim(),
  ]);
  const columns = [
    right('#'),
    { title: 'CUT' },
    right('BEFORE'),
    right('NODES'),
    right('WEIGHTS'),
    right('ACROSS'),
    wide('TENSORS'),
    { title: '' },
  ];
  return [
    '',
    `${bold(`group ${id}`)}: ${group.members.join(', ')}`,
    `  share ${deepest.prefix.nodes} nodes, ${formatQuantity(deepest.prefix.parameters)} parameters, ` +
      `${least === most ? least : `${least} to ${most}`} of their compute`,
    `  weights: ${formatBytes(apartBytes)} apart, ${green(`${formatBytes(togetherBytes)} together`)}`,
    ...table(columns, rows, { width: io.width - 2, paintTitle: dim }).map(line => `  ${line}`),
    ...measuredLines(cuts, measured, io).map(line => `  ${line}`),
    ...partings.map(
      ({ members, first }) => `  ${members.join(', ')} → ${first.join(', ') || 'nothing more: it is the trunk'}`,
    ),
    ...inner.flatMap(one => groupLines(one, measured, io)),
  ];
}
