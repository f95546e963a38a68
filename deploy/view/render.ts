import { isPrefix, isSuffix, type Plan } from '../../contracts/index.ts';
import {
  bar,
  cut,
  formatAge,
  formatBytes,
  formatCount,
  formatMs,
  formatPercent,
  formatRate,
  padEnd,
  styleFor,
  table,
  visibleWidth,
  type Style,
} from '../terminal/index.ts';
import { isAlive, troublesOf, type HostView, type QueryView, type Seen, type View } from './view.ts';

export interface RenderOptions {
  /** Columns; no line is longer. */
  readonly width: number;
  /** Rows; what doesn't fit is left out and said so. */
  readonly height: number;
  readonly color: boolean;
}

/** One frame of `ganglion top`: at most `height` lines of at most `width` columns, without a final line end. */
export function renderTop(view: View, { width, height, color }: RenderOptions): string {
  const style = styleFor(color);
  const lines = [
    ...header(view, width, style),
    '',
    ...queriesTable(view.queries, width, style),
    '',
    ...hostsTable(view.hosts, width, style),
    '',
    ...streamsTable(view, width, style),
    ...actorsLines(view, style),
    ...troubleLines(view, width, style),
  ];
  const shown =
    lines.length <= height
      ? lines
      : [...lines.slice(0, height - 1), style.dim(`… ${lines.length - height + 1} more lines`)];
  return shown.map(line => cut(line.trimEnd(), width)).join('\n');
}

function header(view: View, width: number, style: Style): string[] {
  const leader = view.allocators.find(one => isAlive(one) && one.beat.role === 'leader');
  const epoch = view.plan?.epoch ?? leader?.beat.epoch ?? 0;
  const phase = leader ? leader.beat.phase : 'no leader';
  const doing = leader ? `${style.cyan(phase)}${style.dim(` (${leader.name})`)}` : style.red(phase);
  const left = `${style.bold(view.prefix)}  ${style.dim('epoch')} ${style.bold(String(epoch))} ${doing}`;
  const clock = style.dim(new Date(view.unixMs).toISOString().slice(11, 19));
  const gap = Math.max(1, width - visibleWidth(left) - visibleWidth(clock));
  const lines = [left + ' '.repeat(gap) + clock];
  if (leader && leader.beat.waitingFor.length > 0) {
    lines.push(style.dim(cut(`waiting for ${leader.beat.waitingFor.join(', ')}`, width)));
  } else if (leader?.beat.detail !== undefined) lines.push(style.dim(cut(leader.beat.detail, width)));
  return lines;
}

/** Rates, outcomes and latency. */
export function queriesTable(queries: readonly QueryView[], width: number, style: Style): string[] {
  if (queries.length === 0) return [style.dim('no queries yet: ganglion apply -f FILE')];
  const rows = queries.map(query => {
    const late = query.p99Ms !== undefined && query.objectiveMs !== undefined && query.p99Ms > query.objectiveMs;
    const count = (n: number): string => (n > 0 ? style.yellow(formatCount(n)) : style.dim('0'));
    return [
      query.refused === undefined ? `${query.tenant}/${query.query}` : style.red(`${query.tenant}/${query.query}`),
      formatRate(query.rateHz),
      style.green(formatCount(query.ok)),
      count(query.late),
      count(query.dropped),
      query.failed > 0 ? style.red(formatCount(query.failed)) : style.dim('0'),
      count(query.rejected),
      query.badShare > 0.01 ? style.red(formatPercent(query.badShare)) : formatPercent(query.badShare),
      formatMs(query.p50Ms),
      late ? style.red(formatMs(query.p99Ms)) : formatMs(query.p99Ms),
    ];
  });
  return table(
    [
      { title: 'QUERY', flexible: true },
      ...['REQ/S', 'OK', 'LATE', 'DROP', 'FAIL', 'REJ', 'BAD', 'P50', 'P99'].map(title => ({
        title,
        align: 'right' as const,
      })),
    ],
    rows,
    { width, paintTitle: style.dim },
  );
}

/** Devices, how busy they are, and the models that they hold. */
export function hostsTable(hosts: readonly HostView[], width: number, style: Style): string[] {
  if (hosts.length === 0) return [style.dim('no hosts yet: ganglion run gpu-host')];
  const rows = hosts.map(host => {
    const { beat } = host;
    const used = beat.persistentBytes + beat.ephemeralBytes;
    const share = beat.device.memoryBytes > 0 ? used / beat.device.memoryBytes : 0;
    const state = stateOf(host);
    const paint = state === 'ready' ? style.green : isAlive(host) ? style.yellow : style.red;
    return [
      host.name,
      `${beat.device.kind}${beat.device.emulated ? '*' : ''}`,
      paint(state),
      `${bar(host.busyShare, 6)} ${formatPercent(host.busyShare).padStart(5)}`,
      formatRate(host.rateHz),
      `${formatBytes(used)} ${formatPercent(share)}`,
      modelsOf(host, style) || style.dim('none'),
    ];
  });
  const lines = table(
    [
      { title: 'HOST', flexible: true },
      { title: 'DEVICE', flexible: true },
      { title: 'STATE' },
      { title: 'BUSY' },
      { title: 'INV/S', align: 'right' },
      { title: 'MEMORY', align: 'right' },
      { title: 'MODELS', flexible: true },
    ],
    rows,
    { width, paintTitle: style.dim },
  );
  lines.push(...hosts.flatMap(host => groupLines(host, width, style)));
  return hosts.some(host => host.beat.device.emulated)
    ? [...lines, style.dim('* emulated: its answers are not real')]
    : lines;
}

/** `ready`, `slow 9.8×`, `wrong 40 %`, `avoided`, `silent 5 s`, … */
function stateOf(host: HostView): string {
  if (!isAlive(host)) return `silent ${formatAge(host.ageMs)}`;
  const { beat, ailing, avoided } = host;
  if (beat.state !== 'ready') return beat.state;
  if (ailing) return ailing.wrong > 0 ? `wrong ${formatPercent(ailing.wrong)}` : `slow ${ailing.times.toFixed(1)}×`;
  return avoided ? 'avoided' : beat.state;
}

/** `gpu-a: score, clock, names share a prefix: 1.2 GB saved` */
const groupLines = ({ name, groups }: HostView, width: number, style: Style): string[] =>
  groups
    .filter(({ members }) => members.length > 1)
    .map(({ members, savedBytes }) => {
      const shown = members.slice(0, MEMBERS_SHOWN).map(nameOf).join(', ');
      const more = members.length > MEMBERS_SHOWN ? ` and ${members.length - MEMBERS_SHOWN} more` : '';
      const saved = savedBytes > 0 ? `: ${formatBytes(savedBytes)} saved` : '';
      return style.dim(cut(`${name}: ${shown}${more} share a prefix${saved}`, width));
    });

const MEMBERS_SHOWN = 4;
const nameOf = (model: string): string => model.split('@')[0]!;

const SIGN = { fetching: '↓', loading: '↓', warming: '~', resident: '', releasing: '↑', failed: '!' } as const;

/** `det rec ↓face`: with a sign for what comes, goes or has failed; a model behind a prefix as `+score`. */
const modelsOf = (host: Seen<HostView['beat']>, style: Style): string =>
  host.beat.residents
    .filter(({ model, state }) => !isPrefix(model) || state !== 'resident')
    .map(({ model, state }) => {
      const text = `${SIGN[state]}${isSuffix(model) ? '+' : ''}${isPrefix(model) ? 'prefix' : nameOf(model)}`;
      return state === 'resident' ? text : state === 'failed' ? style.red(text) : style.yellow(text);
    })
    .join(' ');

function streamsTable(view: View, width: number, style: Style): string[] {
  const rows = view.samplers.flatMap(({ name, beat }) =>
    beat.streams.map(stream => [
      `${stream.tenant}/${stream.stream}`,
      stream.state === 'live'
        ? style.green(stream.state)
        : stream.state === 'dead'
          ? style.red(stream.state)
          : style.yellow(stream.state),
      formatCount(stream.published),
      formatCount(stream.skipped),
      formatCount(stream.unsent),
      name,
      stream.state === 'dead' ? (stream.detail ?? '') : '',
    ]),
  );
  if (rows.length === 0) return [];
  return [
    ...table(
      [
        { title: 'STREAM', flexible: true },
        { title: 'STATE' },
        { title: 'SENT', align: 'right' },
        { title: 'SAME', align: 'right' },
        { title: 'LOST', align: 'right' },
        { title: 'SAMPLER', flexible: true },
        { title: '', flexible: true },
      ],
      rows,
      { width, paintTitle: style.dim },
    ),
    '',
  ];
}

/** A line for each kind of actor without a table of its own. */
function actorsLines(view: View, style: Style): string[] {
  const names = (all: readonly Seen<unknown>[], text: (name: string) => string): string =>
    all
      .map(seen => (isAlive(seen) ? text(seen.name) : style.red(`${seen.name} silent ${formatAge(seen.ageMs)}`)))
      .join('  ');
  const line = (title: string, text: string): string[] =>
    text === '' ? [] : [`${style.dim(padEnd(title, 11))}${text}`];
  const router = (name: string): string => {
    const beat = view.routers.find(one => one.name === name)!.beat;
    return `${name} ${style.dim(`e${beat.epoch} ${beat.inFlight} in flight${beat.reoffers > 0 ? `, ${formatCount(beat.reoffers)} reoffers` : ''}`)}`;
  };
  const batcher = (name: string): string => {
    const beat = view.batchers.find(one => one.name === name)!.beat;
    const sum = (field: 'queued' | 'granted' | 'batches' | 'mixed'): number =>
      beat.pools.reduce((all, pool) => all + (pool[field] ?? 0), 0);
    const mean = sum('batches') === 0 ? 0 : sum('granted') / sum('batches');
    const mixed = sum('mixed') === 0 ? '' : `, ${formatPercent(sum('mixed') / sum('batches'))} of several models`;
    return `${name} ${style.dim(`e${beat.epoch} ${beat.policy} ${sum('queued')} queued, mean batch ${mean.toFixed(1)}${mixed}`)}`;
  };
  const allocator = (name: string): string => {
    const { role } = view.allocators.find(one => one.name === name)!.beat;
    return `${name} ${style.dim(role)}`;
  };
  return [
    ...line('routers', names(view.routers, router)),
    ...line('batchers', names(view.batchers, batcher)),
    ...line('allocators', names(view.allocators, allocator)),
  ];
}

const TROUBLES_SHOWN = 6;

function troubleLines(view: View, width: number, style: Style): string[] {
  if (view.watchedMs < 2500) return [];
  const troubles = troublesOf(view);
  if (troubles.length === 0) return [];
  const shown = troubles.slice(0, TROUBLES_SHOWN);
  const more =
    troubles.length > shown.length ? [style.dim(`… and ${troubles.length - shown.length} more: ganglion status`)] : [];
  return [
    '',
    ...shown.map(({ severity, what }) => cut((severity === 'error' ? style.red : style.yellow)(`! ${what}`), width)),
    ...more,
  ];
}

/** `det@… ≤4`; `reader@… ≤3 by 1` where a batch of three is granted and run one by one. */
const planned = ({ model, batchMax, grantMax }: Plan['hosts'][number]['models'][number]): string =>
  grantMax === undefined ? `${model} ≤${batchMax}` : `${model} ≤${grantMax} by ${batchMax}`;

/** Pools of a plan: who schedules, which hosts hold which models. */
export function planLines(plan: Plan, width: number, style: Style): string[] {
  const lines = [`epoch ${style.bold(String(plan.epoch))}  policy ${plan.policy}`];
  for (const pool of plan.pools) {
    lines.push('', `${style.bold(pool.pool)}  batcher ${pool.batcher}`);
    const hosts = pool.hosts.map(name => {
      const host = plan.hosts.find(one => one.host === name);
      return [name, host?.kind ?? '', host?.models.map(planned).join(', ') ?? ''];
    });
    lines.push(
      ...table([{ title: 'HOST' }, { title: 'DEVICE' }, { title: 'MODELS (LARGEST BATCH)', flexible: true }], hosts, {
        width,
        paintTitle: style.dim,
      }),
    );
    const sessions = plan.sessions
      .filter(session => pool.sessions.includes(session.name))
      .map(session => [session.name, formatMs(session.objectiveMs), formatRate(session.rateHz), session.prefer]);
    lines.push(
      '',
      ...table(
        [
          { title: 'SESSION', flexible: true },
          { title: 'OBJECTIVE', align: 'right' },
          { title: 'REQ/S', align: 'right' },
          { title: 'PREFER' },
        ],
        sessions,
        { width, paintTitle: style.dim },
      ),
    );
  }
  for (const { tenant, query, reason } of plan.refused)
    lines.push('', style.red(`not served: ${tenant}/${query}: ${reason}`));
  return lines;
}
