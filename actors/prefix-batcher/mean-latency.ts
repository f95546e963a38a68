import type { Seat } from './seat.ts';

/** Mean latency over some seats, by batch: reckoned when it is asked for, and anew only when one of them has learned something. */
export class MeanLatency {
  #seats: readonly Seat[] = [];
  #versions: readonly number[] = [];
  #knownMs = new Float64Array(0);

  /** @param seats at least one @returns ms of a batch of 1..batchMax, which all of them take */
  over(seats: readonly Seat[], batchMax: number): (batch: number) => number {
    if (this.#knownMs.length <= batchMax || !this.#isOf(seats)) {
      this.#seats = seats;
      this.#versions = seats.map(({ version }) => version);
      this.#knownMs = new Float64Array(batchMax + 1);
    }
    const knownMs = this.#knownMs;
    return batch => (knownMs[batch] ||= meanOf(seats, batch));
  }

  #isOf(seats: readonly Seat[]): boolean {
    return (
      seats.length === this.#seats.length &&
      seats.every((seat, i) => seat === this.#seats[i] && seat.version === this.#versions[i])
    );
  }
}

const meanOf = (seats: readonly Seat[], batch: number): number =>
  seats.reduce((sum, seat) => sum + seat.latencyMs(batch), 0) / seats.length;
