import { readModel, shareHashes, type OnnxModel } from '../graph/index.ts';

/** Each is looked through when another comes. */
const READINGS_MAX = 3;

interface Reading {
  readonly file: Uint8Array;
  readonly model: OnnxModel;
}

/**
 * Graphs that were read lately. A file that comes again, under whatever name, is not read again: many parts are
 * cut from one reading. Of a new one, weights that it has in common with those here are compared instead of hashed.
 */
export class Readings {
  readonly #bytesMax: number;
  /** The latest used first. */
  #readings: readonly Reading[] = [];

  /** @param bytesMax of all files together; one alone may be larger */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** @throws GraphError */
  read(name: string, file: Uint8Array): OnnxModel {
    const known = this.#readings.find(one => Buffer.compare(one.file, file) === 0);
    const reading = known ?? { file, model: this.#readAnew(name, file) };
    const inOrder = [reading, ...this.#readings.filter(one => one !== reading)];
    let bytes = 0;
    const fits = inOrder.filter((one, i) => (bytes += one.file.length) <= this.#bytesMax || i === 0);
    this.#readings = fits.slice(0, READINGS_MAX);
    return reading.model;
  }

  #readAnew(name: string, file: Uint8Array): OnnxModel {
    const read = readModel(file, { name });
    for (const { model } of this.#readings) shareHashes(read, model);
    return read;
  }
}
