import { describeError, DeviceError, ModelError, type Output, type Payload } from '../../contracts/index.ts';
import type { LoadedModel, ModelFiles, Prepared, RunResult } from '../device.ts';
import { namedFiles } from '../model-files.ts';
import type { Feed, InputInfo, PreprocessedInput } from '../pre/input.ts';
import { ownPayload, payloadBytes } from '../payload.ts';
import { ownBytes } from '../tensors.ts';
import { blankPayload } from './blank.ts';
import { fromFault, type Fault } from './fault.ts';
import { matchGraph, type Graph } from './graph.ts';
import { accountOf } from './memory.ts';
import type { PixelsFunctions } from './pixels-worker.ts';
import type { ProviderSettings } from './provider.ts';
import type { SessionFunctions } from './session-worker.ts';
import type { Thread } from './thread.ts';

/** What a model needs of its device. */
export interface OnnxParts {
  readonly settings: ProviderSettings;
  readonly sessions: Thread<SessionFunctions>;
  readonly pixels: readonly Thread<PixelsFunctions>[];
  readonly batchMax: number;
}

interface OnnxInput extends Prepared {
  readonly handle: number;
  readonly info: InputInfo;
  /** Taken by the run, unless `reusable`: a blank input may run again and again. */
  feeds: readonly Feed[] | undefined;
  readonly reusable: boolean;
}

/** Loads a graph into the session thread and what surrounds it into the pixel threads. @throws ModelError, DeviceError */
export async function loadOnnxModel(model: ModelFiles, parts: OnnxParts): Promise<LoadedModel> {
  const { id, document } = model;
  const { sessions, pixels, settings, batchMax } = parts;
  const bytes = ownBytes(await model.read(document.file));
  if (bytes.byteLength === 0) throw new ModelError(id, `${document.file} is empty`);
  const modelBytes = bytes.byteLength;
  const { handle, ...facts } = await sessions.call('load', { model: id, graph: bytes, settings }, [bytes.buffer]);
  try {
    const graph = matchGraph(id, document, facts, batchMax);
    const files: Record<string, Uint8Array> = {};
    for (const name of namedFiles(document)) if (name !== document.file) files[name] = await model.read(name);
    await Promise.all(pixels.map(thread => thread.call('open', { handle, id, document, graph, files })));
    return onnxModel(model, graph, { ...parts, handle, modelBytes });
  } catch (error) {
    await unload(parts, handle).catch(() => {}); // the first error is the one to tell
    throw error;
  }
}

async function unload({ sessions, pixels }: OnnxParts, handle: number): Promise<void> {
  await Promise.all([sessions.call('release', { handle }), ...pixels.map(thread => thread.call('close', { handle }))]);
}

const copyFeeds = (feeds: readonly Feed[]): Feed[] => feeds.map(feed => ({ ...feed, data: ownBytes(feed.data) }));

function onnxModel(
  { id, document }: ModelFiles,
  graph: Graph,
  parts: OnnxParts & { readonly handle: number; readonly modelBytes: number },
): LoadedModel {
  const { sessions, pixels, batchMax, handle } = parts;
  const account = accountOf(document, graph, parts.modelBytes);
  const outputs = graph.outputs.map(output => output.name);
  const underWay = new Set<Promise<unknown>>();
  let released: Promise<void> | undefined;
  let blank: Promise<Payload> | undefined;

  const tracked = <T>(work: Promise<T>): Promise<T> => {
    const settled = work.then(
      () => {},
      () => {},
    );
    underWay.add(settled);
    void settled.then(() => underWay.delete(settled));
    return work;
  };
  const checkUsable = (): void => {
    if (released) throw new ModelError(id, 'was released');
  };
  const leastBusy = (): Thread<PixelsFunctions> => pixels.reduce((a, b) => (b.pending < a.pending ? b : a));

  const prepare = async (payload: Payload, reusable: boolean): Promise<OnnxInput> => {
    const { payload: own, transfer } = ownPayload(payload);
    const made: PreprocessedInput = await leastBusy().call('prepare', { handle, payload: own }, transfer);
    const bytes = made.feeds.reduce((sum, feed) => sum + feed.data.byteLength, 0);
    return { handle, reusable, bytes: bytes || payloadBytes(payload), ...made };
  };

  const run = async (inputs: readonly OnnxInput[], feeds: readonly (readonly Feed[])[]): Promise<RunResult> => {
    const ran = await sessions.call(
      'run',
      { handle, inputs: feeds, outputs },
      feeds.flatMap(feeds => feeds.map(feed => feed.data.buffer)),
    );
    const buffers = ran.groups.flatMap(group => group.outputs.map(output => output.data.buffer as ArrayBuffer));
    const answers: (Output | { fault: Fault })[] = await leastBusy().call(
      'postprocess',
      { handle, infos: inputs.map(input => input.info), groups: ran.groups },
      [...new Set(buffers)],
    );
    return { runMs: ran.runMs, outputs: answers.map(answer => ('fault' in answer ? fromFault(answer.fault) : answer)) };
  };

  return {
    id,
    persistentBytes: account.persistentBytes,
    ephemeralBytes: batch => account.ephemeralBytes(batch),
    prepare: async payload => {
      checkUsable();
      return tracked(prepare(payload, false));
    },
    blank: async () => {
      checkUsable();
      blank ??= blankPayload(id, document, graph);
      return tracked(prepare(await blank, true));
    },
    run: async prepared => {
      checkUsable();
      const inputs = prepared as readonly OnnxInput[];
      if (inputs.length < 1 || inputs.length > batchMax)
        throw new ModelError(id, `a batch of ${inputs.length} is outside 1..${batchMax}`);
      return tracked(run(inputs, inputs.map(takeFeeds)));
    },
    release: () =>
      (released ??= settle(underWay)
        .then(() => unload(parts, handle))
        .catch(ignoreLost)),
  };

  function takeFeeds(input: OnnxInput): readonly Feed[] {
    const { feeds } = input;
    if (input.handle !== handle) throw new ModelError(id, 'an input was prepared by another model');
    if (!feeds) throw new ModelError(id, 'an input was run already');
    if (input.reusable) return copyFeeds(feeds);
    input.feeds = undefined;
    return feeds;
  }
}

async function settle(underWay: ReadonlySet<Promise<unknown>>): Promise<void> {
  await Promise.all(underWay);
}

/** With the device gone there is nothing left to free. */
function ignoreLost(error: unknown): void {
  if (!(error instanceof DeviceError)) throw error instanceof Error ? error : new Error(describeError(error));
}
