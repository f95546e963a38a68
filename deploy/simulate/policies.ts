import { resolve } from 'node:path';
import { ourPolicies, type OwnDispatch, type PolicyOptions } from '../../actors/prefix-batcher/index.ts';
import { POLICIES, type OwnPacking } from '../../allocator/index.ts';
import { describeError, isToken, OneOf, Type, type Static } from '../../contracts/index.ts';
import { didYouMean, type Path } from '../documents/index.ts';
import { loadDispatch, loadPacking } from '../load-policy.ts';

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
    borrow: Type.Optional(
      Type.Boolean({
        description:
          'inputs that come together may take of the time of later stages what those can spare; default true',
      }),
    ),
  },
  { additionalProperties: false },
);
export type PoliciesEntry = Static<typeof PoliciesEntry>;

/** Policies of a user's, by what the actor's configuration calls them: the paths of their files. */
export interface OwnPolicies {
  readonly dispatch?: Readonly<Record<string, OwnDispatch>>;
  readonly packing?: Readonly<Record<string, OwnPacking>>;
}

type Complain = (path: Path, detail: string, remedy?: string) => void;

/** Says what is wrong with a choice. */
export function checkPolicies(policies: PoliciesEntry, complain: Complain): void {
  known('dispatch', policies.dispatch, Object.keys(ourPolicies), complain);
  known('planning', policies.planning, Object.keys(POLICIES), complain);
  checkOptions(policies, complain);
}

function known(field: string, name: string | undefined, ours: readonly string[], complain: Complain): void {
  if (name === undefined || !isToken(name) || ours.includes(name)) return;
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
  'query-router': chosen({ crossStageDrop: policies.crossStageDrop, borrow: policies.borrow }),
  'gpu-host': chosen({ overlap: policies.overlap }),
  allocator: chosen({ policy: policies.planning, split: policies.split, prefixes: policies.prefixes }),
});

const chosen = (fields: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** Reads the policies that are named by files, relative to `baseDir`. @returns them, and the entry with absolute paths */
export async function loadOwn(
  policies: PoliciesEntry,
  baseDir: string,
  complain: Complain,
): Promise<{ own: OwnPolicies; policies: PoliciesEntry }> {
  let own: OwnPolicies = {};
  let entry = policies;
  for (const [field, kind] of [
    ['dispatch', 'dispatch'],
    ['planning', 'packing'],
  ] as const) {
    const path = policies[field];
    if (path === undefined || isToken(path)) continue;
    const file = resolve(baseDir, path);
    try {
      const policy = kind === 'dispatch' ? await loadDispatch(file) : await loadPacking(file);
      own = { ...own, [kind]: { [file]: policy } };
      entry = { ...entry, [field]: file };
    } catch (error) {
      complain(['policies', field], describeError(error));
    }
  }
  return { own, policies: entry };
}
