import { readFile } from 'node:fs/promises';
import type { CapacityPlan } from '../../allocator/capacity/index.ts';
import { ConfigError, describeError, Type, validator } from '../../contracts/index.ts';

const number = Type.Number({ minimum: 0 });

/** What of `ganglion plan --json` is needed to plan on from it; whatever else the file holds is ignored. */
const PlanFile = Type.Object({
  policy: Type.String(),
  gpus: number,
  costPerHour: number,
  bound: Type.Object({
    gpus: number,
    costPerHour: number,
    independentGpus: Type.Optional(number),
    independentCostPerHour: Type.Optional(number),
  }),
  hosts: Type.Array(
    Type.Object({
      id: Type.String({ minLength: 1 }),
      kind: Type.String(),
      zone: Type.Optional(Type.String()),
      pool: Type.String(),
      memoryMB: number,
      deviceMemoryMB: Type.Optional(number),
      occupancy: number,
      dutyMs: Type.Optional(number),
      pricePerHour: Type.Optional(number),
      revocable: Type.Optional(Type.Boolean()),
      sessions: Type.Array(
        Type.Object({
          name: Type.String(),
          model: Type.String(),
          prefix: Type.Optional(Type.String()),
          prefixBatch: Type.Optional(Type.Integer({ minimum: 1 })),
          batch: Type.Integer({ minimum: 1 }),
          rateHz: number,
          sizedHz: Type.Optional(number),
          latencyMs: number,
        }),
      ),
    }),
  ),
  scratchRatio: Type.Optional(number),
  refused: Type.Optional(
    Type.Array(
      Type.Object({
        session: Type.String(),
        reason: Type.String(),
        nearestSloMs: Type.Optional(Type.Union([number, Type.Null()])),
      }),
    ),
  ),
});
const schema = validator(PlanFile);
const REMEDY = 'give a file that was written by: ganglion plan WORKLOAD --json > PLAN.json';

/** The plan that `--from` names. @throws ConfigError naming file and field */
export async function readPrevious(file: string): Promise<CapacityPlan> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const detail = missing ? 'there is no such file' : `is no plan: ${describeError(error)}`;
    throw new ConfigError(detail, { file, remedy: REMEDY }, { cause: error });
  }
  if (!schema.accepts(value)) {
    const [first] = schema.problems(value);
    const field = (first?.path ?? '').split('/').slice(1).join('.');
    throw new ConfigError(first?.detail ?? 'is no plan', { file, field, remedy: REMEDY });
  }
  const ids = new Set<string>();
  const twice = value.hosts.find(host => ids.size === ids.add(host.id).size);
  if (twice) throw new ConfigError(`host "${twice.id}" is there twice`, { file, field: 'hosts', remedy: REMEDY });
  return {
    policy: value.policy,
    gpus: value.gpus,
    costPerHour: value.costPerHour,
    bound: { independentGpus: 0, independentCostPerHour: 0, ...value.bound },
    hosts: value.hosts.map(({ memoryMB, deviceMemoryMB, zone, dutyMs, pricePerHour, revocable, ...host }) => ({
      ...host,
      zone: zone ?? 'default',
      dutyMs: dutyMs ?? 0,
      pricePerHour: pricePerHour ?? 1,
      revocable: revocable ?? false,
      memoryBytes: Math.round((deviceMemoryMB ?? memoryMB) * 1e6),
    })),
    refused: (value.refused ?? []).map(one => ({
      session: one.session,
      reason: one.reason,
      nearestSloMs: one.nearestSloMs ?? undefined,
    })),
    ...(value.scratchRatio === undefined ? {} : { scratchRatio: value.scratchRatio }),
    notes: [],
  };
}
