import { ModelError, type ModelDocument, type Output, type Payload } from '../../contracts/index.ts';
import type { ModelFiles, Prepared, RunResult } from '../device.ts';
import { namedFiles } from '../model-files.ts';
import type { Feed, InputInfo, PreprocessedInput } from '../pre/input.ts';
import { ownPayload, payloadBytes } from '../payload.ts';
import { ownBytes } from '../tensors.ts';
import { blankPayload } from './blank.ts';
import { fromFault, type Fault } from './fault.ts';
import type { Graph } from './graph.ts';
import type { PixelsFunctions } from './pixels-worker.ts';
import type { RanGroup } from './session-worker.ts';
import type { Thread } from './thread.ts';

interface OnnxInput extends Prepared {
  readonly handle: number;
  readonly info: InputInfo;
  /** Taken by the run, unless `reusable`: a blank input may run again and again. */
  feeds: readonly Feed[] | undefined;
  readonly reusable: boolean;
}

/** Inputs on their way into a run. */
export interface Taken {
  readonly feeds: readonly (readonly Feed[])[];
  readonly infos: readonly InputInfo[];
}

/** What surrounds the runs of a model or part: preparing inputs, reading outputs, counting what is under way. */
export interface Surroundings {
  prepare(payload: Payload): Promise<Prepared>;
  blank(): Promise<Prepared>;
  /** @throws ModelError when it is released, or they are too many, used, or prepared by another */
  take(inputs: readonly Prepared[]): Taken;
  answers(infos: readonly InputInfo[], groups: readonly RanGroup[]): Promise<RunResult['outputs']>;
  /** Work that a release waits for. */
  tracked<T>(work: Promise<T>): Promise<T>;
  /** Once; waits for what is under way. */
  release(): Promise<void>;
}

export interface SurroundingsParts {
  /** Of the model, or of a part of it. */
  readonly id: string;
  readonly document: ModelDocument;
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly handle: number;
  readonly graph: Graph;
  readonly batchMax: number;
  readonly pixels: readonly Thread<PixelsFunctions>[];
}

/** What a document names beside the graph, by name. @throws NotFoundError */
export async function filesBeside(model: ModelFiles): Promise<Readonly<Record<string, Uint8Array>>> {
  const files: Record<string, Uint8Array> = {};
  for (const name of namedFiles(model.document)) if (name !== model.document.file) files[name] = await model.read(name);
  return files;
}

/** @throws ModelError, DeviceError */
export async function openSurroundings(parts: SurroundingsParts): Promise<Surroundings> {
  const { id, document, files, handle, graph, batchMax, pixels } = parts;
  await Promise.all(pixels.map(thread => thread.call('open', { handle, id, document, graph, files })));

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
  const takeFeeds = (input: OnnxInput): readonly Feed[] => {
    const { feeds } = input;
    if (input.handle !== handle) throw new ModelError(id, 'an input was prepared by another model');
    if (!feeds) throw new ModelError(id, 'an input was run already');
    if (input.reusable) return feeds.map(feed => ({ ...feed, data: ownBytes(feed.data) }));
    input.feeds = undefined;
    return feeds;
  };

  return {
    prepare: async payload => {
      checkUsable();
      return tracked(prepare(payload, false));
    },
    blank: async () => {
      checkUsable();
      blank ??= blankPayload(id, document, graph);
      return tracked(prepare(await blank, true));
    },
    take: prepared => {
      checkUsable();
      const inputs = prepared as readonly OnnxInput[];
      if (inputs.length < 1 || inputs.length > batchMax)
        throw new ModelError(id, `a batch of ${inputs.length} is outside 1..${batchMax}`);
      return { feeds: inputs.map(takeFeeds), infos: inputs.map(input => input.info) };
    },
    answers: async (infos, groups) => {
      const buffers = groups.flatMap(group => group.outputs.map(output => output.data.buffer as ArrayBuffer));
      const answers: (Output | { fault: Fault })[] = await leastBusy().call('postprocess', { handle, infos, groups }, [
        ...new Set(buffers),
      ]);
      return answers.map(answer => ('fault' in answer ? fromFault(answer.fault) : answer));
    },
    tracked,
    release: () =>
      (released ??= Promise.all(underWay).then(async () => {
        await Promise.all(pixels.map(thread => thread.call('close', { handle })));
      })),
  };
}

export const buffersOf = (feeds: Taken['feeds']): ArrayBuffer[] =>
  feeds.flatMap(feeds => feeds.map(feed => feed.data.buffer));
