export { annotate, overlaySvg, toPng } from './annotate.ts';
export { labelledBoxes, wordsOf, type LabelledBox } from './labels.ts';
