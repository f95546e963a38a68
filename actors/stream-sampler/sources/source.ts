import type { Bus, Cancel, Log, Meta, Picture, Random, Static, StreamDocument } from '../../../contracts/index.ts';
import type { Pixels } from '../pixels.ts';

/** Time as sources and streams see it; timers end with the actor. */
export interface Timers {
  nowMs(): number;
  unixMs(): number;
  after(delayMs: number, fn: () => void): Cancel;
}

/** One picture from a source. */
export interface Shot {
  readonly picture: Picture;
  /** Local time when it was taken or arrived. */
  readonly takenMs: number;
  /** How old it was already then. */
  readonly ageMs?: number;
  readonly meta?: Static<typeof Meta>;
  /** Whether it is known to be a whole, good picture; others are decoded once before they are published. */
  readonly sound: boolean;
  /** For messages about it: a file name. */
  readonly name?: string;
}

/** The sampling instant for which a picture is asked. */
interface Instant {
  readonly seq: number;
  /** The stream time that frame `seq` shows, ms. */
  readonly timeMs: number;
}

/** An open source. */
export interface PictureSource {
  /**
   * `sampler`: asked at each instant of the grid. `source`: pictures come at their own times, already thinned to the
   * rate.
   */
  readonly pace: 'sampler' | 'source';
  /** Pictures that came and went because nobody took them in time, since opening. */
  readonly missed: number;
  /**
   * The next picture; undefined at the end. Asked again only after it has settled. A picture that is broken is an
   * InputError, then the next may be asked for. @throws SourceError, InputError
   */
  next(instant: Instant): Promise<Shot | undefined>;
  /** Frees everything; a pending {@link next} settles. */
  close(): Promise<void>;
}

export interface SourceSurroundings {
  readonly tenant: string;
  readonly stream: string;
  readonly prefix: string;
  readonly bus: Bus;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly pixels: Pixels;
  /** Path or name of the ffmpeg program. */
  readonly ffmpeg: string;
}

/** @throws SourceError, ConfigError */
export type OpenSource = (document: StreamDocument, around: SourceSurroundings) => Promise<PictureSource>;
