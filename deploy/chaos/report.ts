import { formatMs, formatPercent, table, type Io } from '../terminal/index.ts';
import type { Verdict } from './judge.ts';

/** For people: what became of the requests, and of goodput after each fault. */
export function chaosReport(verdict: Verdict, { width, style }: Pick<Io, 'width' | 'style'>): string[] {
  const { requests, unsent, outcomes, lost, unknown, doubled, reasons, faults } = verdict;
  const share = (count: number): string => (requests === 0 ? '' : formatPercent(count / requests));
  const rows = Object.entries({ ...outcomes, lost, unknown, doubled })
    .filter(([name, count]) => count > 0 || name === 'ok' || name === 'lost')
    .map(([name, count]) => [name, String(count), share(count)]);
  const paintTitle = style.bold;
  const lines = [
    ...table(
      [
        { title: `${requests} requests`, flexible: true },
        { title: 'count', align: 'right' },
        { title: 'share', align: 'right' },
      ],
      rows,
      { width, paintTitle },
    ),
    '',
    ...table(
      [
        { title: 'at', align: 'right' },
        { title: 'fault', flexible: true },
        { title: 'not ok', align: 'right' },
        { title: 'lost', align: 'right' },
        { title: 'slowest', align: 'right' },
        { title: 'back after', align: 'right' },
      ],
      faults.map(({ fault, atS, hit, lost, slowestMs, backMs }) => [
        `${atS.toFixed(1)} s`,
        fault,
        String(hit),
        String(lost),
        formatMs(slowestMs),
        backMs === undefined ? 'not yet' : formatMs(backMs),
      ]),
      { width, paintTitle },
    ),
  ];
  const told = Object.entries(reasons).toSorted(([, a], [, b]) => b - a);
  if (told.length > 0) lines.push('', ...told.map(([reason, count]) => `${count} × ${reason}`));
  if (unknown > 0)
    lines.push(
      '',
      `${unknown} can't be known: no outcome was heard, and NATS was away while they were under way; only a durable query's results are stored`,
    );
  if (unsent > 0) lines.push('', `${unsent} frames could not be published: NATS was away`);
  return lines;
}
