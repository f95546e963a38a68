import type { PictureSource, SourceSurroundings } from '../source.ts';
import { truthOf, type MakePainter, type SyntheticSource } from './painter.ts';

export { ADVANCES } from './layout.ts';
export { makePainter, makePlaceholderPainter, truthOf, type MakePainter } from './painter.ts';
export { fieldsOf, truthAt, type Field, type Truth } from './truth.ts';

/** A scoreboard broadcast: the picture of an instant follows from the source's settings and the instant alone. */
export async function openSynthetic(
  source: SyntheticSource,
  settings: { quality: number; makePainter: MakePainter },
  { timers, pixels }: SourceSurroundings,
): Promise<PictureSource> {
  const painter = await settings.makePainter(source, settings.quality, pixels);
  const endMs = source.durationS === undefined ? Infinity : timers.nowMs() + source.durationS * 1000;
  let closed = false;
  return {
    pace: 'sampler',
    missed: 0,
    next: async ({ timeMs }) => {
      const takenMs = timers.nowMs();
      if (closed || takenMs >= endMs) return undefined;
      const data = await painter.paint(truthOf(source, timeMs));
      return { picture: { encoding: 'jpeg', data }, takenMs, sound: true, meta: { t: timeMs } };
    },
    close: async () => {
      closed = true;
    },
  };
}
