import type { DeviceReport, ModelDocument, Output, Payload } from '../contracts/index.ts';

/** A model with its files at hand, wherever they come from (disk, object store). */
export interface ModelFiles {
  /** `<name>@<12 hex>` */
  readonly id: string;
  readonly document: ModelDocument;
  /** Content of a file that the document names (`file`, `keys`, `labels`, modules). @throws NotFoundError */
  read(name: string): Promise<Uint8Array>;
}

/** One input, decoded and normalised, ready for the device. Opaque to everybody but the model that made it. */
export interface Prepared {
  /** Memory it holds until its batch ran. */
  readonly bytes: number;
}

/** What one run gave. `outputs[i]` belongs to the i-th input; an error there concerns that input alone. */
export interface RunResult {
  /** Time on the device, without queueing, pre- and postprocessing. */
  readonly runMs: number;
  readonly outputs: readonly (Output | Error)[];
}

/** A model that is resident on a device. */
export interface LoadedModel {
  readonly id: string;
  /** P: memory that stays while it is loaded. */
  readonly persistentBytes: number;
  /** E: working memory of a run of `batch` inputs. */
  ephemeralBytes(batch: number): number;
  /** Decodes and preprocesses on the CPU, off the event loop. @throws InputError */
  prepare(payload: Payload): Promise<Prepared>;
  /** An input to warm up and measure with: shaped like a real one. */
  blank(): Promise<Prepared>;
  /**
   * Runs a batch (1 ≤ size ≤ batchMax) and postprocesses it. Runs of one device queue up in the order of the calls.
   * @throws ModelError when the run itself fails, DeviceError when the device is gone
   */
  run(inputs: readonly Prepared[]): Promise<RunResult>;
  /** Frees the memory; waits for runs under way. A later call of anything rejects. */
  release(): Promise<void>;
}

/**
 * One accelerator (or the CPU) owned by this process. Two kinds: `onnx` (onnxruntime in a worker thread that owns the
 * sessions) and `emulated` (takes the profile's time on the clock; same queueing, same memory accounts).
 */
export interface Device {
  readonly report: DeviceReport;
  /** @throws ModelError (corrupt file, wrong tensor names, …), DeviceError */
  load(model: ModelFiles, options: { readonly batchMax: number }): Promise<LoadedModel>;
  /** Resolves with the reason if the device breaks by itself; the process should then end. */
  readonly lost: Promise<Error>;
  /** Releases everything; waits for the run under way. */
  close(): Promise<void>;
}
