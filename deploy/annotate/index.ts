export { annotate, overlaySvg } from './annotate.ts';
export { labelledBoxes, wordsOf, type LabelledBox } from './labels.ts';
