import { run, type Outcome, type RunOptions } from './run.ts';
import { actorsOf, EXTRAS, FIRST_FAULT_MS, type Extra, type Fault, type Scenario } from './scenario.ts';

const RUNS_MAX = 120;

/**
 * A smaller scenario that breaks the same rule: fewer faults, fewer actors, a shorter time. Greedy (after Zeller's delta debugging):
 * what can be left out is left out, until nothing can.
 */
export async function shrink(failed: Outcome, options: RunOptions = {}): Promise<Outcome> {
  const rule = failed.violations[0]?.rule;
  let smallest = failed;
  let runs = 0;
  const attempt = async (scenario: Scenario): Promise<boolean> => {
    if (runs++ >= RUNS_MAX) return false;
    const outcome = await run(scenario, options);
    if (outcome.violations[0]?.rule !== rule) return false;
    smallest = outcome;
    return true;
  };
  for (let size = Math.ceil(failed.scenario.faults.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < smallest.scenario.faults.length; ) {
      const { faults } = smallest.scenario;
      const without = [...faults.slice(0, from), ...faults.slice(from + size)];
      if (!(await attempt({ ...smallest.scenario, faults: without }))) from += size;
    }
  }
  for (const simpler of SIMPLER) {
    for (;;) {
      const scenario = simpler(smallest.scenario);
      if (!scenario || !(await attempt(scenario))) break;
    }
  }
  return smallest;
}

/** Each makes a scenario a little simpler, or finds nothing more to do. */
const SIMPLER: readonly ((scenario: Scenario) => Scenario | undefined)[] = [
  ...EXTRAS.map(extra => (s: Scenario) => without(s, extra)),
  s => fewer(s, 'hosts'),
  s => fewer(s, 'routers'),
  s => fewer(s, 'batchers'),
  s => fewer(s, 'allocators'),
  s => (s.streams > 1 ? { ...s, streams: s.streams - 1 } : undefined),
  s => (s.skew > 0 ? { ...s, skew: 0 } : undefined),
  s => {
    const healAtMs = Math.max(FIRST_FAULT_MS, ...s.faults.map(({ atMs, forMs }) => atMs + forMs)) + 100;
    return healAtMs < s.healAtMs ? { ...s, healAtMs } : undefined;
  },
];

function fewer(scenario: Scenario, what: 'hosts' | 'routers' | 'batchers' | 'allocators'): Scenario | undefined {
  // Where nothing may be lost there is capacity to spare: without it, something else would break.
  if (scenario[what] <= (what === 'hosts' && scenario.kind !== 'storm' ? 3 : 1)) return undefined;
  return withTheirFaults({ ...scenario, [what]: scenario[what] - 1 });
}

function without(scenario: Scenario, extra: Extra): Scenario | undefined {
  if (!scenario.extras.includes(extra)) return undefined;
  const extras = scenario.extras.filter(other => other !== extra);
  return withTheirFaults({ ...scenario, extras, ...(extra === 'film' ? { samplers: 0 } : {}) });
}

/** Without the faults of those who aren't there any more. */
function withTheirFaults(smaller: Scenario): Scenario {
  const there = new Set(['*', ...actorsOf(smaller)]);
  const about = (fault: Fault): string[] =>
    'who' in fault ? [fault.who] : 'from' in fault ? [fault.from, fault.to] : [];
  return { ...smaller, faults: smaller.faults.filter(fault => about(fault).every(who => there.has(who))) };
}
