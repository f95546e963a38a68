import type { Outcome } from './run.ts';

const LINES_SHOWN = 40;

/** For people: what broke, how to run it again, what led to it. */
export const explain = ({ scenario, violations, lines }: Outcome): string =>
  [
    `seed ${scenario.seed} (${scenario.kind}): ${violations.map(v => `${v.rule} at ${v.atMs.toFixed(1)} ms: ${v.detail}`).join('\n  ')}`,
    `replay: npm run simulate -- ${scenario.seed}`,
    ...lines.slice(-LINES_SHOWN),
  ].join('\n');
