import { goodputCell } from '../cells.ts';
import type { Lab, Setting } from '../lab.ts';
import { cellOf, ratioTarget, type Cell, type Group, type RowResult, type Target } from '../results.ts';
import { NEXUS, OURS } from '../systems.ts';
import { oneModel } from './one-model.ts';

const HOSTS = 16;
const BASE = 'as it is';
const JITTER = 'execution times ± 5 %';
const BURSTS = 'bursts of 4 ×';
/** How long runs with bursts last. */
const BURSTS_MS = 6000;
const DELAY = '1 ms each way';

const VARIANTS: readonly {
  readonly x: string;
  readonly change: (setting: Setting) => Setting;
  readonly expected: number;
}[] = [
  { x: BASE, change: setting => setting, expected: 0.95 },
  { x: JITTER, change: setting => ({ ...setting, deviation: 0.05 }), expected: 0.9 },
  { x: DELAY, change: setting => ({ ...setting, network: { oneWayMs: 1 } }), expected: 0.88 },
  {
    x: BURSTS,
    change: setting => {
      const [{ rateHz, count }] = [setting.streams[0]! as { rateHz: number; count: number }];
      const arrivals = { kind: 'bursty', factor: 4, burstS: 0.1, everyS: 1 } as const;
      const [{ objectiveMs }] = [setting.queries[0]!];
      // Many bursts, or chance says how many there are.
      const lasts = { objectives: BURSTS_MS / objectiveMs, warmup: 1000 / objectiveMs };
      return { ...setting, lasts, streams: [{ name: 'cam-1', rateHz: rateHz * count, arrivals }] };
    },
    expected: 0.4,
  },
];

export async function robustRow(lab: Lab): Promise<RowResult> {
  const groups: Group[] = [];
  for (const objectiveMs of [25, 50]) {
    const cells: Cell[] = [];
    for (const { x, change, expected } of VARIANTS) {
      for (const system of [OURS, NEXUS])
        cells.push(
          await goodputCell(lab, change(oneModel({ curve: 'resnet50', objectiveMs }, HOSTS)), { system, x, expected }),
        );
    }
    groups.push({ name: `${HOSTS} GPUs, ${objectiveMs} ms`, cells });
  }
  const own = ({ name, cells }: (typeof groups)[number], x: string): Target => {
    const group = { name, cells };
    const [now, base] = [cellOf(group, 'ours', x), cellOf(group, 'ours', BASE)];
    const what = `one model, ${name}, ${x}: of its own goodput without`;
    if (!now?.value || !base?.value) return { what, target: '≥ 0.90', reached: now?.note ?? '', met: false };
    return { what, target: '≥ 0.90', reached: (now.value / base.value).toFixed(2), met: now.value / base.value >= 0.9 };
  };
  const bursts = groups.map(({ name }) =>
    ratioTarget(
      { groups },
      {
        what: `one model, ${name}, ${BURSTS}: over Nexus`,
        group: name,
        x: BURSTS,
        over: 'ours',
        under: 'nexus',
        least: 1,
      },
    ),
  );
  return {
    id: 'robust',
    title: 'Robustness',
    about: [
      `One model, ℓ(b) = 1.082b + 5.204, on ${HOSTS} emulated GPUs, all given out. Execution times that deviate by 5 % (normal); messages that take 1 ms instead of 0.2 ms each way; one stream whose rate is four times as high in bursts of 0.1 s on average, every second on average (rates are means over all).`,
    ],
    unit: 'frames/s',
    xName: 'with',
    systems: [OURS, NEXUS],
    ratios: [['ours', 'nexus']],
    groups,
    targets: [...groups.map(group => own(group, JITTER)), own(groups[0]!, DELAY), ...bursts],
  };
}
