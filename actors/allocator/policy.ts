import { capacityPolicyOf, POLICIES, type OwnPacking, type PolicyEntry } from '../../allocator/index.ts';
import { ConfigError, isToken, type PolicyError } from '../../contracts/index.ts';

export interface AllocatorPorts {
  /** Policies of your own, by name, beside ours. */
  readonly policies?: Readonly<Record<string, OwnPacking>>;
  /** For `policy: ./mine.ts`. @throws ConfigError */
  readonly loadPolicy?: (path: string) => Promise<OwnPacking>;
}

/** Ours by name, or a user's, whose plans are checked. @throws ConfigError */
export async function planningOf(
  policy: string,
  { policies = {}, loadPolicy }: AllocatorPorts,
  onFault: (error: PolicyError) => void,
): Promise<PolicyEntry> {
  const known = Object.hasOwn(policies, policy) ? policies[policy] : undefined;
  const ours = Object.values(POLICIES).find(({ name }) => name === policy);
  if (!known && ours) return ours;
  const own = known ?? (isToken(policy) ? undefined : await loadPolicy?.(policy));
  if (own) return { name: own.name, policy: capacityPolicyOf(own, onFault), rules: own.rules };
  const names = [...Object.keys(POLICIES), ...Object.keys(policies)].join(', ');
  throw new ConfigError(`"${policy}" is no policy`, {
    field: 'allocator config.policy',
    remedy: `use one of: ${names}; or the path of your own, ./mine.ts`,
  });
}
