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
  /** Time on the device, without queueing, pre- and postprocessing. Of a suffix: without its prefix. */
  readonly runMs: number;
  /** Of a suffix: what its prefix took before it, with whatever else ran in that batch. */
  readonly prefixMs?: number;
  readonly outputs: readonly (Output | Error)[];
}

/** What will be there, or fails: a promise, or lighter. It can be awaited; `then` may call back at once, and in the turn in which it comes. */
export interface Eventual<T> {
  then(done: (value: T) => void, failed: (error: unknown) => void): void;
}

/** A model that is resident on a device. */
export interface LoadedModel {
  readonly id: string;
  /** P: memory that stays while it is loaded. */
  readonly persistentBytes: number;
  /** E: working memory of a run of `batch` inputs. */
  ephemeralBytes(batch: number): number;
  /** Decodes and preprocesses on the CPU, off the event loop; at once where that takes no time. Rejects: InputError */
  prepare(payload: Payload): Prepared | Promise<Prepared>;
  /** An input to warm up and measure with: shaped like a real one. */
  blank(): Prepared | Promise<Prepared>;
  /**
   * Runs a batch (1 ≤ size ≤ batchMax) and postprocesses it. Runs of one device queue up in the order of the calls.
   * @throws ModelError when the run itself fails, DeviceError when the device is gone
   */
  run(inputs: readonly Prepared[]): Eventual<RunResult>;
  /** Frees the memory; waits for runs under way. A later call of anything rejects. */
  release(): Promise<void>;
}

/** What is left of a model behind a prefix. Its inputs are those of the whole model; a run by itself runs the prefix, too. */
export interface LoadedSuffix extends LoadedModel {
  /** P that the whole model would take. */
  readonly wholeBytes: number;
}

/** The inputs that one suffix gets in a mixed batch. */
export interface Member {
  /** Id of the suffix. */
  readonly suffix: string;
  readonly inputs: readonly Prepared[];
}

export interface MixedResult {
  /** Time on the device, of all parts together. */
  readonly runMs: number;
  /** In the order of the members; a suffix that fails concerns nobody else. */
  readonly members: readonly (RunResult | Error)[];
}

/**
 * What several models have in common up to a cut. Its inputs are prepared as those of the model that it was taken from; a run
 * of them (to warm up, to measure) gives no outputs.
 */
export interface LoadedPrefix extends LoadedModel {
  /** Loads the rest of a model. @throws ModelError when that model doesn't have this prefix, or is corrupt; DeviceError */
  loadSuffix(model: ModelFiles, options: { readonly batchMax: number }): Promise<LoadedSuffix>;
  /**
   * Runs the prefix once on all inputs (1 ≤ number ≤ its batchMax), then each suffix on its slice (≤ the suffix's batchMax). Every
   * input gets what it would get alone.
   * @throws ModelError when the prefix fails, DeviceError when the device is gone
   */
  runMixed(members: readonly Member[]): Promise<MixedResult>;
}

export interface PrefixOptions {
  /** 12 hex digits (contracts/part.ts). */
  readonly cut: string;
  /** What the prefix gives, by the first 16 hex digits of their hashes; default: what crosses that cut of this model's own. */
  readonly tensors?: readonly string[] | undefined;
  readonly batchMax: number;
}

/**
 * One accelerator (or the CPU) owned by this process. Two kinds: `onnx` (onnxruntime in a worker thread that owns the
 * sessions) and `emulated` (takes the profile's time on the clock; same queueing, same memory accounts).
 */
export interface Device {
  readonly report: DeviceReport;
  /** @throws ModelError (corrupt file, wrong tensor names, …), DeviceError */
  load(model: ModelFiles, options: { readonly batchMax: number }): Promise<LoadedModel>;
  /**
   * Loads what `model` computes before a cut, shared by all models with this cut. To be released after its suffixes.
   * @throws ModelError when it has no such cut, DeviceError
   */
  loadPrefix(model: ModelFiles, options: PrefixOptions): Promise<LoadedPrefix>;
  /** Resolves with the reason if the device breaks by itself; the process should then end. */
  readonly lost: Promise<Error>;
  /** Releases everything; waits for the run under way. */
  close(): Promise<void>;
}
