export { prefixJson } from './output.ts';
export { prefixPage } from './page.ts';
export { prefixSvg } from './picture.ts';
export { readModels, type Dims } from './read.ts';
export { prefixReport } from './report.ts';
export { study } from './study.ts';
export { writeParts } from './write.ts';
