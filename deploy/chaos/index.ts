export { judge, type Sent, type Verdict } from './judge.ts';
export { checkAgainst, readChaos } from './read.ts';
export { chaosReport } from './report.ts';
export { runChaos } from './run.ts';
export { ChaosDocument } from './schema.ts';
