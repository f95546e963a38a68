export { type InputDims } from './cost.ts';
export { cutsOf, type Cut, type CutOptions, type CutTensor, type RefusedCut, type Side } from './cuts.ts';
export { GraphError } from './error.ts';
export { type GraphHashes, type Hash } from './hash.ts';
export { readModel, writeModel, type OnnxModel, type ReadOptions } from './model.ts';
export { splitAt, type CutPlace, type Parts } from './split.ts';
export { hashesOf } from './view.ts';
