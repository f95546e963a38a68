export { measureCuts, type Measured } from './measure.ts';
export { prefixJson } from './output.ts';
export { prefixPage } from './page.ts';
export { prefixSvg } from './picture.ts';
export { readModels, type Dims, type NamedModel } from './read.ts';
export { prefixReport } from './report.ts';
export { study, type Study } from './study.ts';
export { writeParts } from './write.ts';
