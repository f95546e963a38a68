import type { Clock, Output, Payload, Picture } from '../../../contracts/index.ts';
import type { Device, LoadedModel, Prepared } from '../../../gpu-host/index.ts';

/** What a frame shows: its own name. Whatever is made of it carries the name on. */
export const pictureOf = (name: string): Picture => ({
  encoding: 'jpeg',
  width: 640,
  height: 360,
  data: new TextEncoder().encode(name.padEnd(400, ' ')),
});

export const nameOf = (payload: Payload): string =>
  payload.encoding === 'tensors' ? '' : new TextDecoder().decode(payload.data).trimEnd();

/** Output whose label says which picture it was computed from. */
function labelled(output: Output, name: string): Output {
  if (output.kind === 'boxes') return { ...output, boxes: output.boxes.map(box => ({ ...box, label: name })) };
  if (output.kind === 'classes') return { ...output, classes: output.classes.map(c => ({ ...c, label: name })) };
  return output;
}

interface NamedInput extends Prepared {
  readonly inner: Prepared;
  readonly name: string;
}

export interface DeviceWatch {
  /** Something that a device must never be asked to do. */
  broken(what: string): void;
}

/**
 * An emulated device whose answers tell the picture that they belong to, and which watches over its memory (ΣP + max E ≤ C; one
 * lane) and over models that are taken away while they are needed.
 */
export function watchedDevice(inner: Device, watch: DeviceWatch): Device {
  const shelf = new Shelf(inner.report.memoryBytes, watch);
  return {
    report: inner.report,
    lost: inner.lost,
    close: () => inner.close(),
    load: async (files, options) => shelf.watched(await inner.load(files, options)),
    loadPrefix: async (files, options) => {
      const prefix = await inner.loadPrefix(files, options);
      return {
        ...shelf.watched(prefix),
        loadSuffix: async (suffixFiles, suffixOptions) => {
          const suffix = await prefix.loadSuffix(suffixFiles, suffixOptions);
          return { ...shelf.watched(suffix), wholeBytes: suffix.wholeBytes };
        },
        runMixed: async members => {
          const named = members.map(({ suffix, inputs }) => ({ suffix, inputs: inputs as readonly NamedInput[] }));
          const result = await prefix.runMixed(
            named.map(({ suffix, inputs }) => ({ suffix, inputs: inputs.map(input => input.inner) })),
          );
          const labelledMembers = result.members.map((of, i) =>
            of instanceof Error ? of : { ...of, outputs: labelAll(of.outputs, named[i]!.inputs) },
          );
          return { ...result, members: labelledMembers };
        },
      };
    },
  };
}

const labelAll = (outputs: readonly (Output | Error)[], inputs: readonly NamedInput[]): (Output | Error)[] =>
  outputs.map((output, i) => (output instanceof Error ? output : labelled(output, inputs[i]!.name)));

/** What is loaded on one device. */
class Shelf {
  readonly #loaded = new Set<LoadedModel>();
  readonly #memoryBytes: number;
  readonly #watch: DeviceWatch;

  constructor(memoryBytes: number, watch: DeviceWatch) {
    this.#memoryBytes = memoryBytes;
    this.#watch = watch;
  }

  watched(model: LoadedModel): LoadedModel {
    const watch = this.#watch;
    this.#loaded.add(model);
    this.#checkMemory(0);
    let running = 0;
    let released = false;
    return {
      ...model,
      prepare: async payload => {
        const prepared = await model.prepare(payload);
        return { bytes: prepared.bytes, inner: prepared, name: nameOf(payload) };
      },
      blank: async () => {
        const prepared = await model.blank();
        return { bytes: prepared.bytes, inner: prepared, name: '' };
      },
      run: async inputs => {
        const named = inputs as readonly NamedInput[];
        const real = named.some(({ name }) => name !== '');
        if (released) watch.broken(`${model.id} is run after it was unloaded`);
        this.#checkMemory(model.ephemeralBytes(named.length));
        if (real) running++;
        try {
          const { runMs, outputs } = await model.run(named.map(input => input.inner));
          return { runMs, outputs: labelAll(outputs, named) };
        } finally {
          if (real) running--;
        }
      },
      release: async () => {
        if (running > 0) watch.broken(`${model.id} is unloaded while requests run on it`);
        released = true;
        await model.release();
        this.#loaded.delete(model);
      },
    };
  }

  #checkMemory(ephemeralBytes: number): void {
    const persistentBytes = [...this.#loaded].reduce((sum, model) => sum + model.persistentBytes, 0);
    if (persistentBytes + ephemeralBytes > this.#memoryBytes)
      this.#watch.broken(`memory: ${persistentBytes} + ${ephemeralBytes} bytes exceed ${this.#memoryBytes}`);
  }
}

/** The clock of a device that takes `slowness()` times as long as it should: gray failure. */
export const slowClock = (clock: Clock, slowness: () => number): Clock => ({
  nowMs: () => clock.nowMs(),
  unixMs: () => clock.unixMs(),
  after: (delayMs, fn) => clock.after(delayMs * slowness(), fn),
});
