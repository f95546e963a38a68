import { readFile } from 'node:fs/promises';
import type { Workload } from '../../allocator/capacity/index.ts';
import { ConfigError, normal, type Random } from '../../contracts/index.ts';
import { parseCsv } from '../../deploy/plan/csv.ts';

/** Rate of each session in an epoch, Hz. */
export type Rates = ReadonlyMap<string, number>;

/** Rates that wander: each epoch a factor of e^(0.1·normal), pulled back to where they came from. */
export function walk(workload: Workload, epochs: number, random: Random): Rates[] {
  const offsets = new Map(workload.sessions.map(session => [session.name, 0]));
  return Array.from({ length: epochs }, () => {
    const rates = new Map<string, number>();
    for (const { name, rateHz } of workload.sessions) {
      const offset = 0.95 * offsets.get(name)! + 0.1 * normal(random);
      offsets.set(name, offset);
      rates.set(name, rateHz * Math.exp(offset));
    }
    return rates;
  });
}

/**
 * Rates of the busiest functions of a trace with a column for each minute, spread over its length, the n-th session behaving as
 * the n-th function. Scaled to a mean of 20 per second: the trace's shape matters here, not its size.
 */
export async function ratesOfTrace(file: string, sessions: readonly string[], epochs: number): Promise<Rates[]> {
  const functions = (await busiestFirst(file)).slice(0, sessions.length);
  const minutes = functions[0]!;
  const count = Math.min(epochs, minutes.length);
  const span = Math.floor(minutes.length / count);
  return Array.from({ length: count }, (_, epoch) => {
    const rates = new Map<string, number>();
    sessions.forEach((session, i) => {
      const counts = functions[i % functions.length]!;
      const mean = total(counts) / counts.length;
      const here = total(counts.slice(epoch * span, (epoch + 1) * span)) / span;
      rates.set(session, Math.max(0.1, (20 * here) / Math.max(mean, 1e-9)));
    });
    return rates;
  });
}

/** Mean rates of the functions of such a trace that are called at all, Hz. */
export async function meanRates(file: string): Promise<number[]> {
  const functions = await busiestFirst(file);
  return functions.map(counts => total(counts) / counts.length / 60).filter(rateHz => rateHz > 0);
}

/** Invocations of each minute, by function. */
async function busiestFirst(file: string): Promise<number[][]> {
  const { columns, rows } = parseCsv(await readFile(file, 'utf8'));
  const minutes = columns.filter(column => /^\d+$/.test(column));
  if (minutes.length === 0) {
    throw new ConfigError('has no columns of minutes', { file, remedy: 'give an invocations.csv' });
  }
  return rows.map(row => minutes.map(minute => Number(row.cells[minute]))).sort((a, b) => total(b) - total(a));
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
