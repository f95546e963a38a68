import { ModelError, prefixId, suffixId } from '../../contracts/index.ts';
import type {
  LoadedPrefix,
  LoadedSuffix,
  Member,
  MixedResult,
  ModelFiles,
  PrefixOptions,
  RunResult,
} from '../device.ts';
import type { Feed } from '../pre/input.ts';
import { fromFault } from './fault.ts';
import { matchGraph, type Graph, type GraphFacts } from './graph.ts';
import { accountOf, accountOfPrefix, accountOfSuffix, crossingBytesOf } from './memory.ts';
import { orUnload, releaseOnce, type OnnxParts } from './model.ts';
import type { Part } from './surgery-worker.ts';
import type { Surgery } from './surgery.ts';
import { buffersOf, filesBeside, openSurroundings, type Surroundings } from './surroundings.ts';

interface Suffix {
  readonly handle: number;
  readonly outputs: readonly string[];
  /** Input of the model → the prefix's. */
  readonly inputs: ReadonlyMap<string, string>;
  readonly around: Surroundings;
}

/** Cuts a model and loads what lies before the cut. As in model.ts, what lives on must not name `model`. @throws ModelError, NotFoundError, DeviceError */
export async function loadOnnxPrefix(
  model: ModelFiles,
  options: OnnxParts & PrefixOptions & { readonly surgery: Surgery },
): Promise<LoadedPrefix> {
  const { surgery, cut, sessions, settings, batchMax } = options;
  const { id: from, document } = model;
  const id = prefixId(cut);
  const files = await filesBeside(model);
  const side = await surgery.prefix(model, options);
  const prefixBytes = side.bytes.byteLength;
  const loaded = await sessions.call('load', { model: id, graph: side.bytes, settings }, [side.bytes.buffer]);
  const { handle, outputs: crossing } = loaded;
  return orUnload(sessions, handle, async () => {
    const suffixes = new Map<string, Suffix>();
    const inputs = inputsOf(loaded, side.inputs);
    const graph = matchGraph(from, document, { inputs, outputs: [] }, batchMax, { outputs: false });
    const around = await openSurroundings({ ...options, id, document, files, handle, graph });
    const crossingBytes = crossingBytesOf(crossing);
    const account = accountOfPrefix(document, graph, { prefixBytes, crossingBytes });
    const namesOf = inverse(side.inputs);

    const runMixed = async (members: readonly Member[]): Promise<MixedResult> => {
      const size = members.reduce((sum, { inputs }) => sum + inputs.length, 0);
      if (size < 1 || size > batchMax) throw new ModelError(id, `a batch of ${size} is outside 1..${batchMax}`);
      const taken = members.map(({ suffix, inputs }) => {
        const behind = suffixes.get(suffix);
        if (!behind) throw new ModelError(suffix, `is not loaded behind ${id}`);
        const { feeds, infos } = behind.around.take(inputs);
        return { behind, infos, feeds: feeds.map(one => renamed(one, behind.inputs)) };
      });
      const ran = await sessions.call(
        'runMixed',
        {
          prefix: handle,
          members: taken.map(({ behind, feeds }) => ({
            suffix: behind.handle,
            inputs: feeds,
            outputs: behind.outputs,
          })),
        },
        taken.flatMap(({ feeds }) => buffersOf(feeds)),
      );
      const results = await Promise.all(
        taken.map(async ({ behind, infos }, i): Promise<RunResult | Error> => {
          const result = ran.members[i]!;
          if ('fault' in result) return fromFault(result.fault);
          const { runMs, groups } = result;
          return { runMs, prefixMs: ran.prefixMs, outputs: await behind.around.answers(infos, groups) };
        }),
      );
      return { runMs: ran.runMs, members: results };
    };
    const trackedByAll = (members: readonly Member[]): Promise<MixedResult> => {
      const work = around.tracked(runMixed(members));
      for (const { suffix } of members)
        void suffixes
          .get(suffix)
          ?.around.tracked(work)
          .catch(() => {});
      return work;
    };

    return {
      id,
      persistentBytes: account.persistentBytes,
      ephemeralBytes: batch => account.ephemeralBytes(batch),
      prepare: payload => around.prepare(payload),
      blank: () => around.blank(),
      run: async prepared => {
        const feeds = around.take(prepared).feeds.map(one => renamed(one, namesOf));
        const outputs = crossing.map(({ name }) => name);
        const { runMs } = await around.tracked(
          sessions.call('run', { handle, inputs: feeds, outputs }, buffersOf(feeds)),
        );
        return { runMs, outputs: [] };
      },
      runMixed: trackedByAll,
      loadSuffix: async (member, { batchMax: memberMax }) => {
        const part = await surgery.suffix(member, cut, side);
        return loadSuffix(member, part, {
          ...options,
          batchMax: memberMax,
          loaded,
          suffixes,
          runMixed: trackedByAll,
        });
      },
      release: releaseOnce(sessions, handle, around),
    };
  });

  async function loadSuffix(
    member: ModelFiles,
    part: Part,
    behind: OnnxParts & {
      readonly loaded: GraphFacts;
      readonly suffixes: Map<string, Suffix>;
      runMixed(members: readonly Member[]): Promise<MixedResult>;
    },
  ): Promise<LoadedSuffix> {
    const { suffixes, loaded: prefix } = behind;
    const { id: of, document } = member;
    const id = suffixId(of, cut);
    const files = await filesBeside(member);
    const { nodes } = part;
    const suffixBytes = part.bytes.byteLength;
    const { handle, ...facts } = await sessions.call('load', { model: id, graph: part.bytes, settings }, [
      part.bytes.buffer,
    ]);
    return orUnload(sessions, handle, async () => {
      const graph: Graph = matchGraph(
        of,
        document,
        { inputs: inputsOf(prefix, part.inputs), outputs: facts.outputs },
        behind.batchMax,
      );
      const around = await openSurroundings({ ...behind, id, document, files, handle, graph });
      const outputs = graph.outputs.map(output => output.name);
      const held = batchMax * crossingBytesOf(facts.inputs);
      const account = accountOfSuffix(document, graph, { suffixBytes, nodes, held });
      const suffix: Suffix = { handle, outputs, inputs: inverse(part.inputs), around };
      suffixes.set(id, suffix);
      const release = releaseOnce(sessions, handle, around);
      return {
        id,
        persistentBytes: account.persistentBytes,
        wholeBytes: accountOf(document, graph, prefixBytes + suffixBytes).persistentBytes,
        ephemeralBytes: batch => account.ephemeralBytes(batch),
        prepare: payload => around.prepare(payload),
        blank: () => around.blank(),
        run: async inputs => {
          const [only] = (await behind.runMixed([{ suffix: id, inputs }])).members;
          if (only instanceof Error) throw only;
          return only!;
        },
        release: async () => {
          if (suffixes.get(id) === suffix) suffixes.delete(id);
          await release();
        },
      };
    });
  }
}

/** The prefix's inputs under the names that a model gives them. */
const inputsOf = ({ inputs }: GraphFacts, names: ReadonlyMap<string, string>): GraphFacts['inputs'] =>
  inputs.map(input => ({ ...input, name: names.get(input.name) ?? input.name }));

const inverse = (names: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
  new Map([...names].map(([one, other]) => [other, one]));

const renamed = (feeds: readonly Feed[], names: ReadonlyMap<string, string>): Feed[] =>
  feeds.flatMap(feed => {
    const name = names.get(feed.name);
    return name === undefined ? [] : [{ ...feed, name }];
  });
