import { describeError, DeviceError, ModelError } from '../../contracts/index.ts';
import type { LoadedModel, ModelFiles } from '../device.ts';
import { ownBytes } from '../tensors.ts';
import { matchGraph } from './graph.ts';
import { accountOf } from './memory.ts';
import type { PixelsFunctions } from './pixels-worker.ts';
import type { ProviderSettings } from './provider.ts';
import type { SessionFunctions } from './session-worker.ts';
import { buffersOf, filesBeside, openSurroundings, type Surroundings } from './surroundings.ts';
import type { Thread } from './thread.ts';

/** What a model needs of its device. */
export interface OnnxParts {
  readonly settings: ProviderSettings;
  readonly sessions: Thread<SessionFunctions>;
  readonly pixels: readonly Thread<PixelsFunctions>[];
  readonly batchMax: number;
}

/** The bytes of a model's graph, in a buffer of their own. @throws ModelError when there are none */
export async function graphBytes(model: ModelFiles): Promise<Uint8Array<ArrayBuffer>> {
  const { id, document } = model;
  const bytes = ownBytes(await model.read(document.file));
  if (bytes.byteLength === 0) throw new ModelError(id, `${document.file} is empty`);
  return bytes;
}

/**
 * Loads a graph into the session thread and what surrounds it into the pixel threads. What lives on must not name `model`: it would keep the
 * graph's bytes, which onnxruntime has.
 * @throws ModelError, NotFoundError, DeviceError
 */
export async function loadOnnxModel(model: ModelFiles, parts: OnnxParts): Promise<LoadedModel> {
  const { id, document } = model;
  const files = await filesBeside(model);
  const { sessions, settings, batchMax } = parts;
  const bytes = await graphBytes(model);
  const modelBytes = bytes.byteLength;
  const { handle, ...facts } = await sessions.call('load', { model: id, graph: bytes, settings }, [bytes.buffer]);
  return orUnload(sessions, handle, async () => {
    const graph = matchGraph(id, document, facts, batchMax);
    const around = await openSurroundings({ ...parts, id, document, files, handle, graph });
    const account = accountOf(document, graph, modelBytes);
    const outputs = graph.outputs.map(output => output.name);
    return {
      id,
      persistentBytes: account.persistentBytes,
      ephemeralBytes: batch => account.ephemeralBytes(batch),
      prepare: payload => around.prepare(payload),
      blank: () => around.blank(),
      run: async prepared => {
        const { feeds, infos } = around.take(prepared);
        const run = async () => {
          const ran = await sessions.call('run', { handle, inputs: feeds, outputs }, buffersOf(feeds));
          return { runMs: ran.runMs, outputs: await around.answers(infos, ran.groups) };
        };
        return around.tracked(run());
      },
      release: releaseOnce(sessions, handle, around),
    };
  });
}

/** What was loaded goes again when the rest of the loading fails; that error is the one to tell. */
export async function orUnload<T>(
  sessions: Thread<SessionFunctions>,
  handle: number,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await sessions.call('release', { handle }).catch(() => {});
    throw error;
  }
}

/** With the device gone there is nothing left to free. */
export function releaseOnce(sessions: Thread<SessionFunctions>, handle: number, around: Surroundings) {
  let released: Promise<void> | undefined;
  const release = async (): Promise<void> => {
    try {
      await around.release();
      await sessions.call('release', { handle });
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error instanceof Error ? error : new Error(describeError(error));
    }
  };
  return (): Promise<void> => (released ??= release());
}
