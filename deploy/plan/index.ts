export { planJson, type Planned } from './output.ts';
export { planPage } from './page.ts';
export { planSvg } from './picture.ts';
export { planWith } from './plan.ts';
export { readPrevious } from './previous.ts';
export { readWorkload, type WorkloadFile } from './read.ts';
export { compareReport, planReport } from './report.ts';
export { WorkloadDocument } from './schema.ts';
