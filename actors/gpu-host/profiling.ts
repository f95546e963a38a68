import { encodeJson } from '../../bus/index.ts';
import { BUCKETS, describeError, type Clock, type Log, type StoredModel } from '../../contracts/index.ts';
import { measureProfile, type Device } from '../../gpu-host/index.ts';
import { profileKey, type Storage } from './catalog.ts';
import type { Claim } from './memory.ts';
import type { Residents } from './residents.ts';

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
  readonly stored: StoredModel;
  readonly batchMax: number;
  readonly estimated: Omit<Claim, 'lane'>;
}

/** Measurements, one after the other; batches run between their runs. What was measured goes to the bucket `profiles`. */
export class Profiling {
  readonly #ports: ProfilingPorts;
  readonly #waiting: ProfilingJob[] = [];
  #current: string | undefined;
  #stopped = false;

  constructor(ports: ProfilingPorts) {
    this.#ports = ports;
  }

  /** Whether this model is being measured. */
  measures(model: string): boolean {
    return this.#current === model;
  }

  /** False when too many wait. The same model is measured once, however often it is asked for meanwhile. */
  order(job: ProfilingJob): boolean {
    const { id } = job.stored;
    if (this.#current === id || this.#waiting.some(({ stored }) => stored.id === id)) return true;
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
    this.#current = job?.stored.id;
    if (job) this.#ports.spawn(`measuring ${job.stored.id}`, () => this.#run(job));
  }

  async #run(job: ProfilingJob): Promise<void> {
    const { log, residents } = this.#ports;
    const model = job.stored.id;
    let failure: unknown;
    try {
      await this.#measure(job);
    } catch (error) {
      failure = error;
      if (!this.#stopped) log.error('a model could not be measured', { model, error: describeError(error) });
    }
    this.#current = undefined;
    residents.letGo(model, failure);
    this.#ports.changed();
    this.#next();
  }

  async #measure({ stored, batchMax, estimated }: ProfilingJob): Promise<void> {
    const { device, clock, log, residents, storage, seconds } = this.#ports;
    const { loaded, loadMs } = await residents.borrow(stored, { batchMax, estimated });
    log.info('measuring', { model: stored.id, batchMax });
    const profile = await measureProfile(device, loaded, {
      batchMax,
      clock,
      loadMs,
      seconds,
      onProgress: ({ batch, step, steps, meanMs, repeats }) => {
        // Measuring is of no use to a host that leaves.
        if (this.#stopped) throw new Error('the host is leaving');
        log.info('measured', { model: stored.id, batch, meanMs, repeats, step: `${step} of ${steps}` });
      },
    });
    const bucket = await storage.keyValue(BUCKETS.profiles);
    await bucket.put(profileKey(stored.id, device.report.kind), encodeJson(profile));
  }
}
