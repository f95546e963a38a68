export * from './graph-edit.ts';
export { withFreeBatch } from './free.ts';
export { closeModel, openModel, type OpenModel } from './onnx-file.ts';
export { narrowReader, type NarrowReader } from './reader.ts';
