export type { Outcome } from './outcome.ts';
export { readScenario, type ScenarioFile } from './read.ts';
export { outcomeReport, searchReport } from './report.ts';
export { simulate } from './run.ts';
export { compile } from './scenario.ts';
export { ScenarioDocument } from './schema.ts';
export { searchGoodput } from './search.ts';
export { storedModel } from './store.ts';
export { World } from './world.ts';
