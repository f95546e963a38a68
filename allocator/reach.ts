import type { Plan } from '../contracts/index.ts';
import { stepFrom } from './between.ts';
import type { Holdings } from './holdings.ts';
import { limited, rewired } from './limited.ts';
import type { Draft } from './planner.ts';
import { sitesOf, type InUse } from './sites.ts';

export type Reach =
  | { readonly is: 'direct'; readonly draft: Draft }
  /** A plan on the way: once it is in force and drained, the next one comes closer. */
  | { readonly is: 'partial'; readonly draft: Draft; readonly detail: string }
  | { readonly is: 'blocked'; readonly detail: string };

/**
 * Make before break: a host loads what is new beside what it serves now. Where memory can't hold both, the next plan
 * leaves that host with what old and new have in common (the others hold the rest meanwhile), so that it can drain
 * first. When a model that is served now would be nowhere on any way, the plan can't be reached safely.
 */
export function reach(draft: Draft, current: InUse | undefined, holdings: ReadonlyMap<string, Holdings>): Reach {
  const sites = sitesOf(draft, current, holdings);
  const crowded = sites.filter(site => site.crowded);
  if (crowded.length === 0) return { is: 'direct', draft };
  const who = crowded.map(({ host }) => host.host).join(', ');
  const step = stepFrom(sites, draft, current);
  if ('lost' in step) {
    return {
      is: 'blocked',
      detail:
        `${who} can't hold old and new models together, and nobody else holds ${step.lost.join(', ')}: ` +
        'add a host or remove a query',
    };
  }
  const between = rewired(limited(draft, step.hosts), step.kept, current?.profiles ?? []);
  return { is: 'partial', draft: between, detail: `${who} can't hold old and new models together: it releases first` };
}

/** The plan once more, as far as hosts hold what it gives them: it moves nothing. */
export function renewed(current: Plan, holdings: ReadonlyMap<string, Holdings>): Draft {
  const { v: _, epoch: __, nonce: ___, ...plan } = current;
  const hosts = plan.hosts.map(host => {
    const resident = holdings.get(host.host)?.residents.filter(({ state }) => state === 'resident') ?? [];
    return { ...host, models: host.models.filter(({ model }) => resident.some(r => r.model === model)) };
  });
  return limited(plan, hosts);
}
