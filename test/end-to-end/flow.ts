import { encode, realClock } from '../../bus/index.ts';
import { every, subjects, type Bus, type Cancel } from '../../contracts/index.ts';

const PERIOD_MS = 50;

/** Frames of one stream, one after the other until it is stopped. While the bus is away none are made. */
export class Flow {
  /** Numbers of the frames that were published. */
  readonly published: number[] = [];
  readonly stream: string;
  readonly #stop: Cancel;
  #next = 1;

  constructor(bus: Bus, prefix: string, options: { stream: string; picture: Uint8Array; periodMs?: number }) {
    const { stream, picture, periodMs = PERIOD_MS } = options;
    this.stream = stream;
    const subject = subjects.frames.at(prefix, { tenant: 'default', stream });
    this.#stop = every(realClock, periodMs, () => {
      const seq = this.#next++;
      const frame = encode({ v: 1, seq, picture: { encoding: 'jpeg', data: picture } });
      if (bus.publish(subject, frame)) this.published.push(seq);
    });
  }

  /** Number of the latest frame. */
  get latest(): number {
    return this.published.at(-1) ?? 0;
  }
  after(seq: number): number[] {
    return this.published.filter(one => one > seq);
  }
  stop(): void {
    this.#stop();
  }
}
