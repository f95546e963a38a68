/** What a planned node needs. */
export interface Wanted {
  /** Model ids with the cost of loading each (bytes of weights, at least 1). */
  readonly models: ReadonlyMap<string, number>;
}

/** A named host and what it holds now. */
export interface Holding {
  readonly host: string;
  readonly models: ReadonlySet<string>;
}

/** Releasing costs next to nothing, but an equal choice should not release in vain. */
const RELEASE_COST = 1e-6;

/**
 * Names a host for each node so that the least is loaded: a minimum-cost assignment (Hungarian method,
 * O(nodes²·hosts)), after nodes that some host holds exactly were given to it (costs obey the triangle inequality, so
 * that loses nothing).
 * @param nodes at most as many as hosts
 * @returns for each node the index of its host
 */
export function assign(nodes: readonly Wanted[], hosts: readonly Holding[]): number[] {
  const result = nodes.map(() => -1);
  const free = new Set(hosts.keys());
  for (const [i, node] of nodes.entries()) {
    for (const j of free) {
      if (cost(node, hosts[j]!) !== 0) continue;
      result[i] = j;
      free.delete(j);
      break;
    }
  }
  const rows = [...result.keys()].filter(i => result[i] === -1);
  const columns = [...free];
  const matched = hungarian(rows.map(i => columns.map(j => cost(nodes[i]!, hosts[j]!))));
  for (const [row, i] of rows.entries()) result[i] = columns[matched[row]!]!;
  return result;
}

function cost(node: Wanted, holding: Holding): number {
  let sum = 0;
  for (const [model, loadCost] of node.models) {
    if (!holding.models.has(model)) sum += Math.max(1, loadCost);
  }
  for (const model of holding.models) if (!node.models.has(model)) sum += RELEASE_COST;
  return sum;
}

/** Shortest augmenting paths with potentials; rows ≤ columns. For each row its column. */
function hungarian(costs: readonly (readonly number[])[]): number[] {
  const n = costs.length;
  const m = costs[0]?.length ?? 0;
  const u = new Float64Array(n + 1);
  const v = new Float64Array(m + 1);
  const rowOf = new Int32Array(m + 1);
  for (let i = 1; i <= n; i++) {
    rowOf[0] = i;
    const least = new Float64Array(m + 1).fill(Number.POSITIVE_INFINITY);
    const way = new Int32Array(m + 1);
    const used = new Uint8Array(m + 1);
    let j0 = 0;
    do {
      used[j0] = 1;
      const row = rowOf[j0]!;
      let delta = Number.POSITIVE_INFINITY;
      let j1 = 0;
      for (let j = 1; j <= m; j++) {
        if (used[j]) continue;
        const reduced = costs[row - 1]![j - 1]! - u[row]! - v[j]!;
        if (reduced < least[j]!) {
          least[j] = reduced;
          way[j] = j0;
        }
        if (least[j]! < delta) {
          delta = least[j]!;
          j1 = j;
        }
      }
      for (let j = 0; j <= m; j++) {
        if (used[j]) {
          u[rowOf[j]!]! += delta;
          v[j]! -= delta;
        } else least[j]! -= delta;
      }
      j0 = j1;
    } while (rowOf[j0] !== 0);
    while (j0 !== 0) {
      const back = way[j0]!;
      rowOf[j0] = rowOf[back]!;
      j0 = back;
    }
  }
  const columnOf = costs.map(() => 0);
  for (let j = 1; j <= m; j++) if (rowOf[j]! > 0) columnOf[rowOf[j]! - 1] = j - 1;
  return columnOf;
}
