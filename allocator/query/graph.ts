import { ConfigError } from '../../contracts/index.ts';

/** A stage of a query, and what it reads. */
export interface GraphStage {
  /** Unique in the query. */
  readonly name: string;
  /** The stages whose results it reads, in any number; none: it reads the frame. */
  readonly from: readonly string[];
}

/** The stages, each after all that it reads; of several that could come next the first one in the list. @throws ConfigError */
export function topDown<S extends GraphStage>(stages: readonly S[]): S[] {
  const names = new Set(stages.map(stage => stage.name));
  for (const { name, from } of stages) {
    const unknown = from.find(parent => !names.has(parent));
    if (unknown !== undefined) {
      throw new ConfigError(`there is no stage "${unknown}"`, {
        field: `stages.${name}.from`,
        remedy: `stages: ${[...names].join(', ')}`,
      });
    }
  }
  const placed = new Set<string>();
  const order: S[] = [];
  while (order.length < stages.length) {
    const next = stages.find(stage => !placed.has(stage.name) && stage.from.every(parent => placed.has(parent)));
    if (!next) {
      const circle = stages.filter(stage => !placed.has(stage.name)).map(stage => stage.name);
      throw new ConfigError(`stages read from each other in a circle: ${circle.join(', ')}`, {
        field: `stages.${circle[0]}.from`,
        remedy: 'let one of them read the frame: remove its `from`',
      });
    }
    placed.add(next.name);
    order.push(next);
  }
  return order;
}

/** R_v = Σ γ_uv · R_u over the stages that v reads, and the query's own rate where v reads the frame. Hz. @throws ConfigError */
export function stageRates(
  stages: readonly GraphStage[],
  rateHz: number,
  fanout: (from: string, to: string) => number,
): Map<string, number> {
  const rates = new Map<string, number>();
  for (const { name, from } of topDown(stages)) {
    const own = from.reduce((sum, parent) => sum + fanout(parent, name) * rates.get(parent)!, 0);
    rates.set(name, from.length === 0 ? rateHz : own);
  }
  return rates;
}

/** The longest sum of `lengthMs` over a path from the frame to a last stage. @throws ConfigError */
export function longestPath(stages: readonly GraphStage[], lengthMs: (stage: string) => number): number {
  const ends = new Map<string, number>();
  for (const { name, from } of topDown(stages)) {
    ends.set(name, Math.max(0, ...from.map(parent => ends.get(parent)!)) + lengthMs(name));
  }
  return Math.max(0, ...ends.values());
}
