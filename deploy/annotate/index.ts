export { annotate, overlaySvg, toPng } from './annotate.ts';
export { labelledBoxes } from './labels.ts';
