import { encodeJson } from '../../bus/index.ts';
import { BUCKETS, describeError, type Clock, type Log } from '../../contracts/index.ts';
import { measureProfile, type Device } from '../../gpu-host/index.ts';
import { profileKey, type Storage } from './catalog.ts';
import type { Residents, Wanted } from './residents.ts';

export interface ProfilingPorts {
  readonly device: Device;
  readonly clock: Clock;
  readonly log: Log;
  readonly storage: Storage;
  readonly residents: Residents;
  readonly seconds: number;
  readonly queueMax: number;
  spawn(what: string, work: () => Promise<void>): void;
  /** What is being measured changed. */
  changed(): void;
}

export interface ProfilingJob {
  /** Id of the model or part. */
  readonly part: string;
  readonly batchMax: number;
  /** What has to be here for that; the part itself comes last. */
  readonly wanted: readonly Wanted[];
}

/** Measurements, one after the other; batches run between their runs. What was measured goes to the bucket `profiles`. */
export class Profiling {
  readonly #ports: ProfilingPorts;
  readonly #waiting: ProfilingJob[] = [];
  #current: ProfilingJob | undefined;
  #stopped = false;

  constructor(ports: ProfilingPorts) {
    this.#ports = ports;
  }

  /** Whether this part is being measured, or needed for that. */
  measures(part: string): boolean {
    return this.#current?.wanted.some(({ planned }) => planned.model === part) ?? false;
  }

  /** False when too many wait. The same model is measured once, however often it is asked for meanwhile. */
  order(job: ProfilingJob): boolean {
    if ([this.#current, ...this.#waiting].some(other => other?.part === job.part)) return true;
    if (this.#waiting.length >= this.#ports.queueMax) return false;
    this.#waiting.push(job);
    if (this.#current === undefined) this.#next();
    return true;
  }

  /** Nothing more is measured; the measurement under way ends when the device closes. */
  stop(): void {
    this.#stopped = true;
    this.#waiting.length = 0;
  }

  #next(): void {
    const job = this.#stopped ? undefined : this.#waiting.shift();
    this.#current = job;
    if (job) this.#ports.spawn(`measuring ${job.part}`, () => this.#run(job));
  }

  async #run(job: ProfilingJob): Promise<void> {
    const { log, residents } = this.#ports;
    const model = job.part;
    let failure: unknown;
    try {
      await this.#measure(job);
    } catch (error) {
      failure = error;
      if (!this.#stopped) log.error('a model could not be measured', { model, error: describeError(error) });
    }
    this.#current = undefined;
    for (const { planned } of job.wanted.toReversed())
      residents.letGo(planned.model, planned.model === model ? failure : undefined);
    this.#ports.changed();
    this.#next();
  }

  async #measure({ part, batchMax, wanted }: ProfilingJob): Promise<void> {
    const { device, clock, log, residents, storage, seconds } = this.#ports;
    const borrowed = await Promise.all(wanted.map(one => residents.borrow(one)));
    const { loaded, loadMs } = borrowed.at(-1)!;
    log.info('measuring', { model: part, batchMax });
    const profile = await measureProfile(device, loaded, {
      batchMax,
      clock,
      loadMs,
      seconds,
      onProgress: ({ batch, step, steps, meanMs, repeats }) => {
        // Measuring is of no use to a host that leaves.
        if (this.#stopped) throw new Error('the host is leaving');
        log.info('measured', { model: part, batch, meanMs, repeats, step: `${step} of ${steps}` });
      },
    });
    const bucket = await storage.keyValue(BUCKETS.profiles);
    await bucket.put(profileKey(part, device.report.kind), encodeJson(profile));
  }
}
