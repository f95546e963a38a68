import { formatMs, formatPercent, formatRate, table, type Column, type Io } from '../terminal/index.ts';
import type { Outcome, QueryOutcome } from './outcome.ts';
import type { ProcessorTime } from './processor.ts';
import { BAD_MAX, type Found } from './search.ts';

const right = (title: string): Column => ({ title, align: 'right' });
const left = (title: string): Column => ({ title, flexible: true });

const COUNTED = ['offered', 'ok', 'late', 'dropped', 'failed', 'rejected', 'lost'] as const;

/** Lines for a terminal. */
export function outcomeReport(outcome: Outcome, io: Pick<Io, 'width' | 'style'>): string[] {
  const { bold, dim, red, green } = io.style;
  const { gpus, durationS, warmupS, queries } = outcome;
  const counted = COUNTED.filter(what => what === 'offered' || what === 'ok' || queries.some(query => query[what] > 0));
  const good = outcome.badRate <= 0.01 ? green : red;
  const grid = (columns: readonly Column[], rows: readonly (readonly string[])[]): string[] =>
    rows.length === 0 ? [] : ['', ...table(columns, rows, { width: io.width, paintTitle: dim })];
  return [
    `${bold(outcome.scenario)}: ${durationS} s after ${warmupS} s of warm-up, seed ${outcome.seed}; ${placeOf(outcome)}`,
    `${formatRate(outcome.offeredHz)} frames/s, ${formatRate(outcome.goodHz)}/s in time, ${good(`${formatPercent(outcome.badRate)} bad`)}; ` +
      `${gpus.usedMean.toFixed(1)} of ${gpus.there} GPUs used (${gpus.usedMax} at most), ${formatPercent(gpus.busyMean)} busy`,
    ...grid(
      [left('query'), ...[...counted, 'bad', 'p50', 'p99', 'objective'].map(right)],
      queries.map(query => [
        nameOf(query),
        ...counted.map(what => String(query[what])),
        formatPercent(query.badRate),
        formatMs(query.latency.p50Ms),
        formatMs(query.latency.p99Ms),
        formatMs(query.objectiveMs),
      ]),
    ),
    ...grid(
      [left('where the time goes'), ...['route', 'schedule', 'transfer', 'wait', 'run', 'return'].map(right)],
      queries.map(query => [nameOf(query), ...Object.values(query.timing).map(formatMs)]),
    ),
    ...grid(
      [left('why not in time'), left('at'), left('stage'), right('frames')],
      queries.flatMap(query =>
        query.troubles.map(({ outcome, reason, at, stage, count }) => [
          `${nameOf(query)} ${outcome}: ${reason}`,
          at,
          stage ?? '',
          String(count),
        ]),
      ),
    ),
    ...grid(
      [left('model'), right('inputs'), right('batches'), right('mean batch')],
      outcome.models.map(({ model, invocations, batches, meanBatch }) => [
        model,
        String(invocations),
        String(batches),
        meanBatch.toFixed(1),
      ]),
    ),
    ...grid(
      [right('time'), left('what happened')],
      happenings(outcome).map(({ atS, what }) => [`${atS.toFixed(1)} s`, what]),
    ),
  ];
}

/** Lines about what a run took of the processor: what one process of each kind can do in real life. */
export function processorReport(time: ProcessorTime, io: Pick<Io, 'width' | 'style'>): string[] {
  const { cpuMs, virtualMs, requests, kinds } = time;
  const perRequest = (ms: number): string => `${((1000 * ms) / Math.max(1, requests)).toFixed(1)} µs`;
  const columns = [left('processor time of'), right('share'), right('a request'), right('requests/s on one core')];
  const rows = kinds.map(({ kind, cpuMs: ms }) => [
    kind,
    formatPercent(ms / cpuMs),
    perRequest(ms),
    ms > 0 ? formatRate((1000 * requests) / ms) : '',
  ]);
  return [
    '',
    `${(virtualMs / cpuMs).toFixed(1)} × real time by processor time: ${(cpuMs / 1000).toFixed(1)} s for ${virtualMs / 1000} s and ` +
      `${requests} requests, ${perRequest(cpuMs)} each`,
    '',
    ...table(columns, rows, { width: io.width, paintTitle: io.style.dim }),
  ];
}

export const placeOf = ({ time }: Outcome): string =>
  time === 'virtual'
    ? 'emulated devices on a simulated bus, virtual time'
    : 'emulated devices, processes on a NATS server, real time';

export const nameOf = ({ tenant, query }: QueryOutcome): string =>
  tenant === 'default' ? query : `${tenant}/${query}`;

/** Faults and plans in the order of time. */
export function happenings({ events, epochs }: Outcome): { atS: number; what: string }[] {
  const plans = epochs.map(({ epoch, atS, gpus, refused }) => ({
    atS,
    what:
      `epoch ${epoch}: ${gpus} ${gpus === 1 ? 'GPU' : 'GPUs'}` +
      refused.map(({ query, reason }) => `; ${query} is refused: ${reason}`).join(''),
  }));
  return [...events, ...plans].sort((a, b) => a.atS - b.atS);
}

/** Lines for a terminal. */
export function searchReport({ best, precision, failed, trials }: Found, io: Pick<Io, 'width' | 'style'>): string[] {
  const rows = [...trials]
    .sort((a, b) => a.factor - b.factor)
    .map(({ factor, offeredHz, goodHz, badRate }) => [
      factor.toFixed(3),
      formatRate(offeredHz),
      formatRate(goodHz),
      formatPercent(badRate),
      badRate <= BAD_MAX ? 'yes' : 'no',
    ]);
  const lower = failed.map(({ offeredHz }) => `${formatRate(offeredHz)}/s`).join(', ');
  return [
    `goodput ${io.style.bold(`${formatRate(best.goodHz)} frames/s`)}: ${best.factor.toFixed(3)} × the scenario's rates; ` +
      `${formatPercent(precision)} more are not served (emulated devices)`,
    ...(failed.length > 0 ? [`not monotone: lower rates failed, too: ${lower}`] : []),
    '',
    ...table(['× rates', 'offered/s', 'in time/s', 'bad', 'served'].map(right), rows, {
      width: io.width,
      paintTitle: io.style.dim,
    }),
  ];
}

/** The same scenario in virtual and in real time, side by side. */
export function comparison(virtual: Outcome, real: Outcome, io: Pick<Io, 'width' | 'style'>): string[] {
  const ratio = (a: number, b: number): string => (a === 0 ? '–' : (b / a).toFixed(2));
  const row = (what: string, show: (value: number) => string, of: (outcome: Outcome) => number): string[] => {
    const [a, b] = [of(virtual), of(real)];
    return [what, show(a), show(b), ratio(a, b)];
  };
  const queries = virtual.queries.flatMap((query, i) => [
    row(`${nameOf(query)}: p50`, formatMs, ({ queries }) => queries[i]!.latency.p50Ms),
    row(`${nameOf(query)}: p99`, formatMs, ({ queries }) => queries[i]!.latency.p99Ms),
  ]);
  const batches = virtual.models.map(({ model }) =>
    row(
      `${model}: mean batch`,
      value => value.toFixed(1),
      ({ models }) => models.find(one => one.model === model)?.meanBatch ?? 0,
    ),
  );
  return [
    '',
    ...table(
      [left('emulated devices'), right('virtual time'), right('real time'), right('real / virtual')],
      [
        row('frames/s offered', formatRate, ({ offeredHz }) => offeredHz),
        row('frames/s in time', formatRate, ({ goodHz }) => goodHz),
        row('bad', formatPercent, ({ badRate }) => badRate),
        row(
          'GPUs used',
          value => value.toFixed(1),
          ({ gpus }) => gpus.usedMean,
        ),
        row('busy', formatPercent, ({ gpus }) => gpus.busyMean),
        ...queries,
        ...batches,
      ],
      { width: io.width, paintTitle: io.style.dim },
    ),
  ];
}
