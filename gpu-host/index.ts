export type {
  Device,
  Eventual,
  LoadedModel,
  LoadedPrefix,
  LoadedSuffix,
  Member,
  MixedResult,
  ModelFiles,
  Prepared,
  RunResult,
} from './device.ts';
export { blanksOf } from './blanks.ts';
export { curvesOfParts, declaredCut } from './emulated/curve.ts';
export { withCuts } from './with-cuts.ts';
export { openEmulatedDevice, type EmulatedOptions, type EmulatedSettings } from './emulated/device.ts';
export { alphabetOf } from './post/ctc.ts';
export { WrongOutputError } from './post/sound.ts';
export { decode, encodeJpeg, imaging, thumbnail, type Pixels } from './imaging.ts';
export { modelFilesFromDisk, modelFilesFromStore, packModel } from './model-files.ts';
export type { ModuleTensor, Postprocess, Preprocess } from './modules.ts';
export { type OnnxOptions, type OnnxSettings } from './onnx/device.ts';
export { openDevice } from './open-device.ts';
export { measureProfile, type ProfileOptions, type ProfileProgress } from './profiler.ts';
export { withoutOverlap } from './without-overlap.ts';
