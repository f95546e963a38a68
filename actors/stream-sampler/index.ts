export { streamSampler, type SamplerPorts } from './actor.ts';
export { changeBetween, CHANGE_THRESHOLD } from './change.ts';
export { frameTimeOf, RateGate } from './instants.ts';
export { sharpPixels } from './pixels.ts';
export { readerOf } from './sharing.ts';
export { placeholderPixels, simulatedPorts } from './simulated.ts';
export {
  ADVANCES,
  ffmpegArguments,
  fieldsOf,
  isRecording,
  JpegSplitter,
  makePainter,
  sourceOpener,
  truthAt,
  truthOf,
  type Field,
  type OpenSource,
  type Shot,
  type Truth,
} from './sources/index.ts';
export { truthOfFrame } from './truth-of-frame.ts';
