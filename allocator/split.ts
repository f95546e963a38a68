/** A stage of a query's tree as the split sees it. */
export interface SplitStage {
  readonly name: string;
  /** The stage whose results it reads; undefined for one that reads the frame. */
  readonly from: string | undefined;
  /** Devices that it needs when it may take `shareMs`; never rises with `shareMs`, Infinity where it can't be done. */
  readonly cost: (shareMs: number) => number;
}

export interface SplitResult {
  /** Time of each stage, ms. Along each path from the frame to a last stage they sum up to the budget. */
  readonly shareMs: ReadonlyMap<string, number>;
  /** Expected devices. */
  readonly cost: number;
}

/**
 * Splits a latency budget over a tree of stages so that the devices needed are fewest:
 * f(u,t) = min over k ≤ t of cost_u(k) + Σ_children f(v, t−k)   (Nexus, SOSP'19, section 6.2; γ is in the rates, thus
 * in cost_u). Time is cut into `steps` parts: O(stages · steps²) time and O(stages · steps) memory. Of equally cheap
 * splits the one with the least time is taken, and what is left over is handed back along each path in proportion,
 * which is worth more than piling it up on one stage when curves are flat.
 * @returns undefined when no split can be served
 */
export function splitBudget(stages: readonly SplitStage[], budgetMs: number, steps = 200): SplitResult | undefined {
  const children = new Map<string | undefined, SplitStage[]>();
  for (const stage of stages) children.set(stage.from, [...(children.get(stage.from) ?? []), stage]);
  const stepMs = budgetMs / steps;
  const choices = new Map<string, Int32Array>();

  const solve = (stage: SplitStage): Float64Array => {
    const below = (children.get(stage.name) ?? []).map(solve);
    const own = Float64Array.from({ length: steps + 1 }, (_, k) => stage.cost(k * stepMs));
    const rest = Float64Array.from({ length: steps + 1 }, (_, t) => below.reduce((sum, f) => sum + f[t]!, 0));
    const best = new Float64Array(steps + 1).fill(Number.POSITIVE_INFINITY);
    const choice = new Int32Array(steps + 1);
    for (let t = 0; t <= steps; t++) {
      for (let k = 0; k <= t; k++) {
        const cost = own[k]! + rest[t - k]!;
        if (cost < best[t]! - 1e-12) {
          best[t] = cost;
          choice[t] = k;
        }
      }
    }
    choices.set(stage.name, choice);
    return best;
  };

  const roots = children.get(undefined) ?? [];
  let cost = 0;
  for (const root of roots) cost += solve(root)[steps]!;
  if (!Number.isFinite(cost)) return undefined;
  const shareMs = new Map<string, number>();
  for (const root of roots) handOut(root, children, choices, steps, shareMs, budgetMs);
  return { shareMs, cost };
}

function handOut(
  root: SplitStage,
  children: ReadonlyMap<string | undefined, readonly SplitStage[]>,
  choices: ReadonlyMap<string, Int32Array>,
  steps: number,
  shareMs: Map<string, number>,
  budgetMs: number,
): void {
  const chosen = new Map<string, number>();
  /** Steps that the longest path from here on takes. */
  const needed = new Map<string, number>();
  const walk = (stage: SplitStage, available: number): number => {
    const own = choices.get(stage.name)![available]!;
    chosen.set(stage.name, own);
    const behind = (children.get(stage.name) ?? []).map(child => walk(child, available - own));
    const need = own + Math.max(0, ...behind);
    needed.set(stage.name, need);
    return need;
  };
  walk(root, steps);
  const give = (stage: SplitStage, available: number): void => {
    const own = (available * chosen.get(stage.name)!) / Math.max(1, needed.get(stage.name)!);
    shareMs.set(stage.name, own);
    for (const child of children.get(stage.name) ?? []) give(child, available - own);
  };
  give(root, budgetMs);
}
