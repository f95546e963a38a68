import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { compile, readScenario, simulate, type Outcome } from '../../deploy/simulate/index.ts';

/** ℓ(b) = 1.082·b + 5.204 on `gpus` devices, 50 ms. */
export const oneModel = (facts: { gpus: number; rateHz: number; durationS?: number; more?: string }): string => `
durationS: ${facts.durationS ?? 4}
warmupS: 2
network: { oneWayMs: 0.1 }
devices: [{ kind: gpu, count: ${facts.gpus} }]
models: [{ name: resnet50, alphaMs: 1.082, betaMs: 5.204, batchMax: 64 }]
queries: [{ name: icons, streams: [cam], objectiveMs: 50, stages: { classify: { model: resnet50 } } }]
streams: [{ name: cam, rateHz: ${facts.rateHz} }]
${facts.more ?? ''}`;

/** Writes files into a folder that goes with the test; the first is the scenario. @returns its path */
export async function written(
  t: ExecutionContext,
  scenario: string,
  others: Record<string, string> = {},
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ganglion-simulate-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(others)) await writeFile(join(folder, name), content);
  const path = join(folder, 'scenario.yaml');
  await writeFile(path, scenario);
  return path;
}

export async function outcomeOf(t: ExecutionContext, scenario: string, rateFactor = 1): Promise<Outcome> {
  return simulate(compile(await readScenario(await written(t, scenario)), rateFactor));
}
