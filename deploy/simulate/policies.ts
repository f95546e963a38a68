import { ourPolicies, type PolicyOptions } from '../../actors/prefix-batcher/index.ts';
import { POLICIES } from '../../allocator/index.ts';
import { describeError, OneOf, Type, type Static } from '../../contracts/index.ts';
import { didYouMean, type Path } from '../documents/index.ts';

/** What decides in a run, one switch for each idea: ours and the baselines differ in nothing else. */
export const PoliciesEntry = Type.Object(
  {
    dispatch: Type.Optional(
      Type.String({
        description: 'of the batchers, default hybrid: which invocations run together, where and when; or ./mine.ts',
      }),
    ),
    options: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'of the dispatch policy, see policies.md' }),
    ),
    drop: Type.Optional(
      OneOf(
        ['early', 'lazy'] as const,
        'with dispatch nexus; early (default): what would make batches smaller than planned; lazy: what is hopeless alone',
      ),
    ),
    planning: Type.Optional(
      Type.String({ description: 'of the allocator, default pooled: which host holds what; or ./mine.ts' }),
    ),
    split: Type.Optional(
      OneOf(
        ['optimal', 'even'] as const,
        "of a query's objective over its stages: so that they cost least (default), or all alike",
      ),
    ),
    prefixes: Type.Optional(
      Type.Boolean({ description: 'models that share a prefix may run it in one batch; default true' }),
    ),
    overlap: Type.Optional(
      Type.Boolean({ description: 'inputs are prepared (preMs) while the device runs others; default true' }),
    ),
    crossStageDrop: Type.Optional(
      Type.Boolean({
        description: 'what can not make the end of its query is dropped at an early stage; default true',
      }),
    ),
  },
  { additionalProperties: false },
);
export type PoliciesEntry = Static<typeof PoliciesEntry>;

type Complain = (path: Path, detail: string, remedy?: string) => void;

/** Named in the schema, not to be had yet. */
const UNBUILT: Readonly<Record<string, readonly unknown[]>> = {
  crossStageDrop: [false],
};

/** Says what is wrong with a choice. */
export function checkPolicies(policies: PoliciesEntry, complain: Complain): void {
  for (const [field, value] of Object.entries(policies)) {
    if (UNBUILT[field]?.includes(value)) complain(['policies', field], `${JSON.stringify(value)} is not built yet`);
  }
  known('dispatch', policies.dispatch, Object.keys(ourPolicies), complain);
  known('planning', policies.planning, Object.keys(POLICIES), complain);
  checkOptions(policies, complain);
}

function known(field: string, name: string | undefined, ours: readonly string[], complain: Complain): void {
  if (name === undefined || ours.includes(name) || UNBUILT[field]?.includes(name)) return;
  complain(['policies', field], `there is no policy "${name}"`, didYouMean(name, ours, 'policies'));
}

function checkOptions(policies: PoliciesEntry, complain: Complain): void {
  const { dispatch = 'hybrid', drop } = policies;
  if (drop !== undefined && dispatch !== 'nexus')
    return complain(
      ['policies', 'drop'],
      `"${dispatch}" has a rule of its own for what it drops`,
      'drop goes with dispatch: nexus',
    );
  try {
    if (Object.hasOwn(ourPolicies, dispatch)) ourPolicies[dispatch]!(optionsOf(policies));
  } catch (error) {
    complain(['policies', 'options'], describeError(error));
  }
}

const optionsOf = ({ options, drop }: PoliciesEntry): PolicyOptions | undefined =>
  drop === undefined ? options : { ...options, drop };

/** What they come to in the configuration of each actor: fields that nobody chose are left out. */
export const configOf = (policies: PoliciesEntry) => ({
  'prefix-batcher': chosen({ policy: policies.dispatch, policyOptions: optionsOf(policies) }),
  'gpu-host': chosen({ overlap: policies.overlap }),
  allocator: chosen({ policy: policies.planning, split: policies.split, prefixes: policies.prefixes }),
});

const chosen = (fields: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
