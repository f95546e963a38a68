import { checkPolicies } from '../../deploy/simulate/policies.ts';
import type { Setting } from './lab.ts';

/** What is compared: the same actors, devices and arrivals, with other policies. */
export interface System {
  readonly id: string;
  readonly title: string;
  /** What it stands for, for the report. */
  readonly what: string;
  readonly policies: NonNullable<Setting['policies']>;
}

const system = (id: string, title: string, what: string, policies: System['policies'] = {}): System => {
  return { id, title, what, policies };
};

const NEXUS_POLICIES = { dispatch: 'nexus', planning: 'nexus' } as const;

export const OURS = system('ours', 'ours', 'the defaults: pooled planning, hybrid dispatch');
export const DEFERRED = system('deferred', 'deferred', "our pools with Symphony's rule of dispatch", {
  dispatch: 'deferred',
});
export const NEXUS = system('nexus', 'Nexus', 'squishy bin packing, duty cycles, early drop', NEXUS_POLICIES);

/** Ours, with one part as in another system, or off. */
export const oursBut = (id: string, title: string, policies: System['policies']): System =>
  system(id, title, title, policies);
/** Nexus, likewise. */
export const nexusBut = (id: string, title: string, policies: System['policies']): System =>
  system(id, title, title, { ...NEXUS_POLICIES, ...policies });

export const under = (setting: Setting, { id, policies }: System): Setting => {
  return { ...setting, name: `${setting.name}, ${id}`, policies };
};

/** Why it can't be run with this code; undefined: it can. */
export function missingOf({ policies }: System): string | undefined {
  const problems: string[] = [];
  checkPolicies(policies, (path, detail) => problems.push(`${path.join('.')} ${detail}`));
  return problems.length > 0 ? problems.join('; ') : undefined;
}
