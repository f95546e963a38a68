import { encode } from '../../bus/index.ts';
import { DEFAULT_PREFIX, subjects, type Bus, type Cancel, type Clock } from '../../contracts/index.ts';
import { randomFor, type Camera } from './scenario.ts';

/** Publishes the frames of all streams when their time has come, and says so. */
export class Load {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #picture: object;
  readonly #onFrame: (camera: Camera, atMs: number) => void;
  readonly #cancels = new Set<Cancel>();
  #stopped = false;

  constructor(parts: { bus: Bus; clock: Clock; frameBytes: number; onFrame: (camera: Camera, atMs: number) => void }) {
    this.#bus = parts.bus;
    this.#clock = parts.clock;
    this.#onFrame = parts.onFrame;
    this.#picture = { encoding: 'jpeg', width: 640, height: 360, data: new Uint8Array(parts.frameBytes) };
  }

  /** Time 0 of the arrivals is now. */
  start(cameras: readonly Camera[], seed: number): void {
    const startMs = this.#clock.nowMs();
    for (const camera of cameras) this.#film(camera, startMs, seed);
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#cancels) cancel();
  }

  #film(camera: Camera, startMs: number, seed: number): void {
    const { tenant, stream, fromMs, toMs } = camera;
    const subject = subjects.frames.at(DEFAULT_PREFIX, { tenant, stream });
    const arrivals = camera.arrivals(randomFor(seed, `${tenant}/${stream}`));
    let seq = 0;
    let atMs = arrivals.next();
    while (atMs < fromMs) atMs = arrivals.next();
    let cancel: Cancel = () => {};
    const arm = (): void => {
      this.#cancels.delete(cancel);
      if (atMs >= toMs || this.#stopped) return;
      cancel = this.#clock.after(Math.max(0, startMs + atMs - this.#clock.nowMs()), shoot);
      this.#cancels.add(cancel);
    };
    const shoot = (): void => {
      // A timer of the real clock may be late: then several frames are due.
      const nowMs = this.#clock.nowMs();
      do {
        this.#bus.publish(subject, encode({ v: 1, seq: seq++, picture: this.#picture }));
        this.#onFrame(camera, atMs);
        atMs = arrivals.next();
      } while (startMs + atMs <= nowMs);
      arm();
    };
    arm();
  }
}
