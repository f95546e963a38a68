export { SamplerConfig, streamSampler, type SamplerPorts } from './actor.ts';
export { changeBetween, ChangeGate, CHANGE_THRESHOLD, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH } from './change.ts';
export { fitJpeg } from './fit.ts';
export { frameTimeOf, RateGate, streamTimeOf } from './instants.ts';
export { sharpPixels, type Pixels } from './pixels.ts';
export { readerOf } from './sharing.ts';
export { placeholderPixels, simulatedPorts } from './simulated.ts';
export {
  ADVANCES,
  ffmpegArguments,
  fieldsOf,
  isRecording,
  JpegSplitter,
  makePainter,
  makePlaceholderPainter,
  sourceOpener,
  truthAt,
  truthOf,
  type Field,
  type MakePainter,
  type OpenSource,
  type PictureSource,
  type Shot,
  type SourceSurroundings,
  type Truth,
} from './sources/index.ts';
export { truthOfFrame } from './truth-of-frame.ts';
