export { annotate, overlaySvg } from './annotate.ts';
export { labelledBoxes } from './labels.ts';
export { readPicture } from './read-picture.ts';
