import { Cluster } from './cluster.ts';
import { unleash } from './faults.ts';
import type { Mutant } from './mutants.ts';
import { pending } from './pending.ts';
import type { Scenario } from './scenario.ts';
import { Watch, type Violation } from './watch.ts';

/** Virtual time from the heal until all must be well. */
const CONVERGE_MS_MAX = 60_000;
const SWEEP_MS = 250;

export interface Outcome {
  readonly scenario: Scenario;
  readonly violations: readonly Violation[];
  /** Virtual time that convergence took, ms. */
  readonly convergedMs: number | undefined;
  readonly watch: Watch;
  readonly lines: readonly string[];
}

export interface RunOptions {
  readonly mutant?: Mutant;
  /** Stop at the first violation. */
  readonly hasty?: boolean;
}

/** Safety phase with faults; then everything heals; then it must converge. */
export async function run(scenario: Scenario, { mutant, hasty = true }: RunOptions = {}): Promise<Outcome> {
  const watch = new Watch(scenario);
  const cluster = new Cluster(scenario, watch, mutant);
  const { clock } = cluster;
  watch.attach(clock);
  const sweep = (): void => {
    watch.sweep([...cluster.processes.values()]);
    clock.after(SWEEP_MS, sweep);
  };
  clock.after(SWEEP_MS, sweep);
  let convergedMs: number | undefined;
  const restore = mutant?.patch?.();
  try {
    await cluster.start();
    const heal = unleash(cluster);
    const over = (): boolean => hasty && watch.violations.length > 0;
    await until(cluster, scenario.healAtMs, over);
    heal();
    const endMs = clock.nowMs() + CONVERGE_MS_MAX;
    while (!over() && clock.nowMs() < endMs) {
      await clock.runFor(SWEEP_MS);
      // Whoever left meanwhile is switched on again.
      for (const process of cluster.processes.values()) process.start();
      if (pending(cluster, watch).length > 0) continue;
      convergedMs = clock.nowMs() - scenario.healAtMs;
      break;
    }
    if (convergedMs === undefined && !over()) watch.broken('converge', pending(cluster, watch).join('; '));
  } finally {
    cluster.stop();
    restore?.();
  }
  return { scenario, violations: watch.violations, convergedMs, watch, lines: cluster.lines };
}

async function until({ clock }: Cluster, endMs: number, over: () => boolean): Promise<void> {
  while (!over() && clock.nowMs() < endMs) await clock.runUntil(Math.min(endMs, clock.nowMs() + SWEEP_MS));
}
