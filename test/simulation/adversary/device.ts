import { modelOf, type Output, type Payload, type Picture } from '../../../contracts/index.ts';
import type {
  Device,
  LoadedModel,
  LoadedPrefix,
  Member,
  MixedResult,
  Prepared,
  RunResult,
} from '../../../gpu-host/index.ts';

/** What a frame shows: its own name. Whatever is made of it carries the name on. */
export const pictureOf = (name: string): Picture => ({
  encoding: 'jpeg',
  width: 640,
  height: 360,
  data: new TextEncoder().encode(name.padEnd(400, ' ')),
});

export const nameOf = (payload: Payload): string =>
  payload.encoding === 'tensors' ? '' : new TextDecoder().decode(payload.data).trimEnd();

/** `<picture>|<model>`: what an answer was computed from, and by which model. */
const labelOf = (name: string, part: string): string => `${name}|${modelOf(part)}`;
export const readLabel = (label: string): { picture: string; model: string } => {
  const [picture = '', model = ''] = label.split('|');
  return { picture, model };
};

function labelled(output: Output, label: string): Output {
  if (output.kind === 'boxes') return { ...output, boxes: output.boxes.map(box => ({ ...box, label })) };
  if (output.kind === 'classes') return { ...output, classes: output.classes.map(c => ({ ...c, label })) };
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
        runMixed: members => shelf.runMixed(prefix, members),
      };
    },
  };
}

const labelAll = (part: string, outputs: RunResult['outputs'], inputs: readonly NamedInput[]): RunResult['outputs'] =>
  outputs.map((output, i) => (output instanceof Error ? output : labelled(output, labelOf(inputs[i]!.name, part))));

interface Loaded {
  readonly model: LoadedModel;
  /** Runs with real requests. */
  running: number;
  released: boolean;
}

/** What is loaded on one device. */
class Shelf {
  readonly #loaded = new Set<Loaded>();
  readonly #memoryBytes: number;
  readonly #watch: DeviceWatch;

  constructor(memoryBytes: number, watch: DeviceWatch) {
    this.#memoryBytes = memoryBytes;
    this.#watch = watch;
  }

  watched<M extends LoadedModel>(model: M): M {
    const loaded: Loaded = { model, running: 0, released: false };
    this.#loaded.add(loaded);
    this.#checkMemory(0);
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
        return this.#running([[loaded, named]], async () => {
          const result = await model.run(named.map(input => input.inner));
          return { ...result, outputs: labelAll(model.id, result.outputs, named) };
        });
      },
      release: async () => {
        if (loaded.running > 0) this.#watch.broken(`${model.id} is unloaded while requests run on it`);
        loaded.released = true;
        await model.release();
        this.#loaded.delete(loaded);
      },
    };
  }

  async runMixed(prefix: LoadedPrefix, members: readonly Member[]): Promise<MixedResult> {
    const named = members.map(({ suffix, inputs }) => ({ suffix, inputs: inputs as readonly NamedInput[] }));
    const parts = [
      [this.#find(prefix.id), named.flatMap(({ inputs }) => inputs)] as const,
      ...named.map(({ suffix, inputs }) => [this.#find(suffix), inputs] as const),
    ];
    return this.#running(parts, async () => {
      const bare = named.map(({ suffix, inputs }) => ({ suffix, inputs: inputs.map(input => input.inner) }));
      const { runMs, members: ran } = await prefix.runMixed(bare);
      const labelledMembers = ran.map((of, i) => {
        const { suffix, inputs } = named[i]!;
        return of instanceof Error ? of : { ...of, outputs: labelAll(suffix, of.outputs, inputs) };
      });
      return { runMs, members: labelledMembers };
    });
  }

  #find(part: string): Loaded | undefined {
    const found = [...this.#loaded].findLast(({ model, released }) => model.id === part && !released);
    if (!found) this.#watch.broken(`${part} is run and not loaded`);
    return found;
  }

  /** Real requests count, not those that warm up and measure. */
  async #running<T>(
    parts: readonly (readonly [Loaded | undefined, readonly NamedInput[]])[],
    run: () => Promise<T>,
  ): Promise<T> {
    const used = parts.flatMap(([loaded, inputs]) => (loaded ? [{ loaded, inputs }] : []));
    for (const { loaded } of used) {
      if (loaded.released) this.#watch.broken(`${loaded.model.id} is run after it was unloaded`);
    }
    this.#checkMemory(Math.max(0, ...used.map(({ loaded, inputs }) => loaded.model.ephemeralBytes(inputs.length))));
    const count = used.some(({ inputs }) => inputs.some(({ name }) => name !== '')) ? 1 : 0;
    for (const { loaded } of used) loaded.running += count;
    try {
      return await run();
    } finally {
      for (const { loaded } of used) loaded.running -= count;
    }
  }

  #checkMemory(ephemeralBytes: number): void {
    const persistentBytes = [...this.#loaded].reduce((sum, { model }) => sum + model.persistentBytes, 0);
    if (persistentBytes + ephemeralBytes > this.#memoryBytes)
      this.#watch.broken(`memory: ${persistentBytes} + ${ephemeralBytes} bytes exceed ${this.#memoryBytes}`);
  }
}
