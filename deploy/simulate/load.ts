import { encode } from '../../bus/index.ts';
import { DEFAULT_PREFIX, subjects, type Bus, type Clock, type Frame, type Picture } from '../../contracts/index.ts';
import { randomFor, type Camera } from './scenario.ts';

/** Pixels of a frame. */
export const FRAME = { width: 640, height: 360 };

/** Publishes the frames of all streams when their time has come, and says so to whom `frames` gives for each stream. */
export class Load {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #picture: Picture;
  readonly #frames: (camera: Camera) => (atMs: number) => void;

  constructor(parts: { bus: Bus; clock: Clock; picture: Picture; frames: (camera: Camera) => (atMs: number) => void }) {
    this.#bus = parts.bus;
    this.#clock = parts.clock;
    this.#frames = parts.frames;
    this.#picture = parts.picture;
  }

  /** Time 0 of the arrivals is now; what would come after `endMs` is left out. */
  start(cameras: readonly Camera[], { seed, endMs }: { seed: number; endMs: number }): void {
    const startMs = this.#clock.nowMs();
    for (const camera of cameras) this.#film({ ...camera, toMs: Math.min(camera.toMs, endMs) }, startMs, seed);
  }

  #film(camera: Camera, startMs: number, seed: number): void {
    const { tenant, stream, fromMs, toMs } = camera;
    const subject = subjects.frames.at(DEFAULT_PREFIX, { tenant, stream });
    const arrivals = camera.arrivals(randomFor(seed, `${tenant}/${stream}`));
    const publish = this.#bus.valuesTo?.(subject) ?? ((frame: Frame) => this.#bus.publish(subject, encode(frame)));
    const published = this.#frames(camera);
    let seq = 0;
    let atMs = arrivals.next();
    while (atMs < fromMs) atMs = arrivals.next();
    const arm = (): void => {
      if (atMs < toMs) alarm.set(Math.max(0, startMs + atMs - this.#clock.nowMs()));
    };
    const shoot = (): void => {
      // A timer of the real clock may be late: then several frames are due.
      const nowMs = this.#clock.nowMs();
      do {
        publish({ v: 1, seq: seq++, picture: this.#picture });
        published(atMs);
        atMs = arrivals.next();
      } while (atMs < toMs && startMs + atMs <= nowMs);
      arm();
    };
    const alarm = this.#clock.alarm(shoot);
    arm();
  }
}
