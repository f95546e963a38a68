import { openFfmpeg } from './ffmpeg.ts';
import { openFolder } from './folder.ts';
import type { OpenSource, PictureSource } from './source.ts';
import { openSubject } from './subject.ts';
import { makePainter, openSynthetic, type MakePainter } from './synthetic/index.ts';

export { ffmpegArguments, isRecording } from './ffmpeg.ts';
export { JpegSplitter } from './jpeg-splitter.ts';
export type { OpenSource, PictureSource, Shot, Timers } from './source.ts';
export * from './synthetic/index.ts';

export const JPEG_QUALITY = 85;

/** Opens what a stream document names; `paint` replaces how synthetic pictures are made. */
export const sourceOpener =
  (paint: MakePainter = makePainter): OpenSource =>
  (document, around): Promise<PictureSource> => {
    const { source, rateHz, jpegQuality: quality = JPEG_QUALITY } = document;
    if (source.kind === 'ffmpeg') return openFfmpeg(source, { rateHz, quality }, around);
    if (source.kind === 'folder') return openFolder(source, around);
    if (source.kind === 'subject') return openSubject(source, rateHz, around);
    return openSynthetic(source, { quality, makePainter: paint }, around);
  };
