import { readFileSync } from 'node:fs';
import { cpuMs } from './processes.ts';

/** What others may take of the machine while something is measured. */
const OTHERS_SHARE_MAX = 0.12;
const LOOK_MS = 300;
const WAIT_MS_MAX = 5_000;

const pause = (ms: number): Promise<void> => new Promise(resolve => void setTimeout(resolve, ms));

/** Processor time of the machine so far, ticks: all of it, and what processes or the hypervisor took (Linux). */
function machineTicks(): { all: number; taken: number } {
  const line = readFileSync('/proc/stat', 'utf8').split('\n')[0]!;
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return { all: user + nice + system + idle + iowait + irq + softirq + steal, taken: user + nice + system + steal };
}

/** Measures while the rest of the machine is quiet: waits for that, and repeats what was disturbed. */
export class Calm {
  /** Measurements that were repeated, and those that stayed disturbed. */
  repeated = 0;
  disturbed = 0;
  readonly #pids: () => Iterable<number>;
  readonly #tries: number;

  /**
   * @param pids the processes that are measured, besides this one
   * @param tries at most so many measurements for one result; 1: whatever the machine does
   */
  constructor(pids: () => Iterable<number>, tries: number) {
    this.#pids = pids;
    this.#tries = tries;
  }

  async measure<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      if (this.#tries > 1) await this.#quiet();
      const others = this.#watch();
      const result = await work();
      if (others() <= OTHERS_SHARE_MAX) return result;
      if (attempt >= this.#tries) {
        this.disturbed++;
        return result;
      }
      this.repeated++;
    }
  }

  async #quiet(): Promise<void> {
    const endMs = performance.now() + WAIT_MS_MAX;
    while (performance.now() < endMs) {
      const others = this.#watch();
      await pause(LOOK_MS);
      if (others() <= OTHERS_SHARE_MAX) return;
    }
  }

  /** @returns what tells the share of the machine that others took since */
  #watch(): () => number {
    const before = machineTicks();
    const oursBefore = this.#oursMs();
    return () => {
      const after = machineTicks();
      const ours = (this.#oursMs() - oursBefore) / 10;
      return (after.taken - before.taken - ours) / Math.max(1, after.all - before.all);
    };
  }

  #oursMs(): number {
    const usage = process.cpuUsage();
    let sum = (usage.user + usage.system) / 1000;
    for (const pid of this.#pids()) sum += cpuMs(pid);
    return sum;
  }
}
