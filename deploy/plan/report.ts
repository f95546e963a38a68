import { formatBytes, formatMs, formatPercent, formatRate, table, type Column, type Io } from '../terminal/index.ts';
import { anatomyOf, groupHosts, sessionRows, type HostGroup } from './anatomy.ts';
import type { CostView } from './costs.ts';
import type { Migration, Move } from '../../allocator/capacity/index.ts';
import type { Planned } from './output.ts';

/** What fits on a few screens; whoever wants all of it reads --json. */
const ROWS_MAX = 60;
const right = (title: string): Column => ({ title, align: 'right' });
const wide = (title: string): Column => ({ title, flexible: true });
const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** A plan for people: the figures first, then each kind of device, what is refused and why, how queries are split. */
export function planReport(planned: Planned, io: Pick<Io, 'width' | 'style'>): string[] {
  const { plan, prepared, planningMs, migration, costs } = planned;
  const { bold, dim, yellow } = io.style;
  const refused = plan.refused.length === 0 ? '' : `, ${yellow(plural(plan.refused.length, 'refusal'))}`;
  const lines = [
    `${bold(plan.policy)}: ${bold(plural(plan.gpus, 'GPU'))}, ${plan.costPerHour.toFixed(2)} an hour${refused}`,
    dim(
      `no plan can do with less than ${plan.bound.gpus.toFixed(1)} GPUs and ${plan.bound.costPerHour.toFixed(2)} an hour; planned in ${formatMs(planningMs)}`,
    ),
    '',
    ...hostLines(planned, io),
  ];
  const add = (title: string, body: readonly string[]): void => {
    if (body.length > 0) lines.push('', bold(title), ...body);
  };
  const splits = Object.entries(prepared.splits).map(
    ([query, stages]) =>
      `  ${query}: ${Object.entries(stages)
        .map(([stage, ms]) => `${stage} ${formatMs(ms)}`)
        .join(', ')}`,
  );
  add('Splits', limited(splits));
  add(
    'Refused',
    limited(
      plan.refused.map(
        ({ session, reason, nearestSloMs }) =>
          `  ${session}: ${reason}${nearestSloMs === undefined ? '' : `; nearest objective: ${formatMs(nearestSloMs)}`}`,
      ),
    ),
  );
  if (migration) add('Moves', moveLines(migration));
  if (costs) add('Cost', costLines(costs, io));
  add('Notes', limited(plan.notes.map(note => `  ${note}`)));
  return lines;
}

const limited = (lines: readonly string[]): string[] => [
  ...lines.slice(0, ROWS_MAX),
  ...moreLine(lines.length - ROWS_MAX),
];

const moreLine = (more: number): string[] => (more > 0 ? [`  … and ${more} more: see --json`] : []);

function hostLines({ plan, prepared: { workload } }: Planned, io: Pick<Io, 'width' | 'style'>): string[] {
  const slo = new Map(workload.sessions.map(session => [session.name, session.sloMs]));
  const device = ({ hosts, first }: HostGroup): string[] => [
    hosts.length === 1 ? first.id : `${hosts.length} × ${first.id}`,
    formatPercent(first.occupancy),
    `${gigabytes(anatomyOf(first, workload.curves).usedBytes)}/${gigabytes(first.memoryBytes)} GB`,
  ];
  const { rows: shown, more } = sessionRows(groupHosts(plan.hosts), ROWS_MAX);
  const rows = shown.map(({ group, session, leads }) => [
    ...(leads ? device(group) : ['', '', '']),
    session.name,
    String(session.batch),
    `${formatRate(session.rateHz)}/s`,
    `${session.latencyMs.toFixed(0)}/${(slo.get(session.name) ?? Number.NaN).toFixed(0)} ms`,
  ]);
  const columns = [
    wide('DEVICE'),
    right('BUSY'),
    right('MEMORY'),
    wide('SESSION'),
    right('BATCH'),
    right('RATE'),
    right('WITHIN'),
  ];
  return [...table(columns, rows, { width: io.width, paintTitle: io.style.dim }), ...moreLine(more)];
}

const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1);

/** In order: each can be done once those before it are. */
export function moveLines({ moves, loadedBytes, sessionsMoved, blocked }: Migration): string[] {
  if (moves.length + blocked.length === 0) return ['  none: what runs now is as good'];
  const lines = runsOf(moves).map(([first, ...rest]) => {
    const models = [first, ...rest].map(move => move.model).join(', ');
    const bytes = [first, ...rest].reduce((sum, move) => sum + move.bytes, 0);
    const place = first.do === 'load' ? `on ${first.host}, ${formatBytes(bytes)}` : `from ${first.host}`;
    return `  ${first.do} ${models} ${place}${first.spare ? ' (parked meanwhile)' : ''}`;
  });
  return [
    ...limited(lines),
    ...blocked.map(({ host, model, detail }) => `  blocked: ${model} on ${host}: ${detail}`),
    `  ${formatBytes(loadedBytes)} of weights loaded, ${plural(sessionsMoved, 'session')} moved`,
  ];
}

/** Moves of the same sort on the same host that follow each other. */
function runsOf(moves: readonly Move[]): [Move, ...Move[]][] {
  const runs: [Move, ...Move[]][] = [];
  for (const move of moves) {
    const run = runs.at(-1);
    if (run && run[0].do === move.do && run[0].host === move.host && run[0].spare === move.spare) run.push(move);
    else runs.push([move]);
  }
  return runs;
}

const money = (value: number | undefined): string =>
  value === undefined ? '–' : value < 100 ? value.toPrecision(3) : value.toFixed(0);

function costLines(costs: CostView, io: Pick<Io, 'width' | 'style'>): string[] {
  const rows = costs.sessions
    .slice(0, ROWS_MAX)
    .map(one => [
      `  ${one.session}`,
      `${formatRate(one.rateHz)}/s`,
      money(one.sharedPerMillion),
      money(one.dedicatedPerMillion),
      one.dedicatedPerHour === undefined ? '–' : saved(1 - one.sharedPerHour / one.dedicatedPerHour),
    ]);
  const columns = [wide('  SESSION'), right('RATE'), right('PER MILLION, SHARED'), right('DEDICATED'), right('SAVED')];
  return [
    ...table(columns, rows, { width: io.width, paintTitle: io.style.dim }),
    ...moreLine(costs.sessions.length - ROWS_MAX),
    `  sharing: ${costs.sharedPerHour.toFixed(2)} an hour instead of ${costs.dedicatedPerHour.toFixed(2)}, ${saved(costs.saving)} saved`,
  ];
}

const saved = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** Of requests to models: each stage of a query makes its own. Undefined: none is served. */
function costPerMillion({ plan, prepared }: Planned): number | undefined {
  const refused = new Set(plan.refused.map(one => one.session));
  const servedHz = prepared.workload.sessions.reduce(
    (sum, { name, rateHz }) => sum + (refused.has(name) ? 0 : rateHz),
    0,
  );
  return servedHz > 0 ? (plan.costPerHour * 1e6) / (servedHz * 3600) : undefined;
}

/** All policies side by side. */
export function compareReport(all: readonly Planned[], io: Pick<Io, 'width' | 'style'>): string[] {
  const rows = all.map(planned => {
    const { plan, planningMs, costs } = planned;
    const perMillion = costPerMillion(planned);
    const busy = plan.hosts.reduce((sum, host) => sum + host.occupancy, 0) / Math.max(1, plan.hosts.length);
    const over =
      plan.bound.costPerHour > 0 ? `+${(100 * (plan.costPerHour / plan.bound.costPerHour - 1)).toFixed(0)} %` : '–';
    return [
      plan.policy,
      String(plan.gpus),
      plan.costPerHour.toFixed(2),
      money(perMillion),
      plan.bound.costPerHour.toFixed(2),
      over,
      formatPercent(busy),
      costs ? saved(costs.saving) : '–',
      String(plan.refused.length),
      formatMs(planningMs),
    ];
  });
  const columns = [
    wide('POLICY'),
    ...['GPUS', 'AN HOUR', 'A MILLION', 'BOUND', 'OVER', 'BUSY', 'SAVED', 'REFUSED', 'TIME'].map(right),
  ];
  return table(columns, rows, { width: io.width, paintTitle: io.style.dim });
}
