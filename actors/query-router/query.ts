import { ConfigError, type FrameRegion, type QueryDocument } from '../../contracts/index.ts';

type QueryStage = QueryDocument['stages'][string];

const FANOUT_MAX = 32;

/** How the boxes of a result become inputs of stages behind it; stages that choose alike share one cut. */
export interface Cut {
  /** Stages that read what is cut, as indexes into {@link Query.stages}. */
  readonly stages: number[];
  readonly fanoutMax: number;
  readonly labels: ReadonlySet<string> | undefined;
  readonly scoreMin: number;
  /** Fractions of the frame: the middle of a box lies in one of them. */
  readonly regions: readonly FrameRegion[] | undefined;
  /** Share of the smaller side by which a box grows on each side. */
  readonly pad: number;
  /** The whole frame once, when there is a box at all. */
  readonly whole: boolean;
}

export interface Stage {
  readonly name: string;
  readonly index: number;
  /** Index of the stage whose results it reads; -1: the frame itself. */
  readonly from: number;
  /** Expected inputs per result of `from`, until measured. */
  readonly fanout: number;
  readonly cuts: Cut[];
}

/** A query made ready to run: stages in an order in which each comes behind the one that it reads. */
export interface Query {
  /** `<tenant>.<name>` */
  readonly key: string;
  readonly tenant: string;
  readonly name: string;
  readonly objectiveMs: number;
  readonly stages: readonly Stage[];
  /** Whether some stage cuts boxes out or asks where they lie, which takes a picture and not tensors. */
  readonly cutsPictures: boolean;
  /** Its frames come from the journal, not from the subjects themselves. */
  readonly durable: boolean;
  /** Names of streams; `*` matches any characters. */
  readonly streams: readonly string[];
  reads(stream: string): boolean;
}

/** @throws ConfigError when a stage reads one that doesn't exist, or stages read each other in a circle */
export function compileQuery(tenant: string, name: string, document: QueryDocument): Query {
  const stages: Stage[] = [];
  const index = new Map<string, number>();
  let left = Object.entries(document.stages);
  while (left.length > 0) {
    const next = left.filter(([, { from }]) => from !== undefined && !index.has(from));
    if (next.length === left.length) throw unreachable(document, next);
    for (const [stageName, stage] of left) {
      if (next.some(([waiting]) => waiting === stageName)) continue;
      const from = stage.from === undefined ? -1 : index.get(stage.from)!;
      index.set(stageName, stages.length);
      stages.push({
        name: stageName,
        index: stages.length,
        from,
        fanout: from < 0 ? 1 : (stage.fanout ?? 1),
        cuts: [],
      });
      if (from >= 0) addCut(stages[from]!.cuts, stage, stages.length - 1);
    }
    left = next;
  }
  const { streams = [], delivery } = document;
  const patterns = streams.map(glob);
  return {
    key: `${tenant}.${name}`,
    tenant,
    name,
    objectiveMs: document.objectiveMs,
    stages,
    cutsPictures: stages.some(stage => stage.cuts.some(cut => !cut.whole || cut.regions !== undefined)),
    // One-off requests have somebody who waits for the answer.
    durable: delivery === 'durable' && streams.length > 0,
    streams,
    reads: stream => patterns.some(pattern => pattern.test(stream)),
  };
}

function addCut(cuts: Cut[], stage: QueryStage, index: number): void {
  const cut: Cut = {
    stages: [index],
    fanoutMax: stage.fanoutMax ?? FANOUT_MAX,
    labels: stage.labels && new Set(stage.labels),
    scoreMin: stage.scoreMin ?? -Infinity,
    regions: stage.regions,
    pad: stage.pad ?? 0,
    whole: stage.whole ?? false,
  };
  const alike = cuts.find(other => chooses(other) === chooses(cut));
  if (alike) alike.stages.push(index);
  else cuts.push(cut);
}

const chooses = ({ fanoutMax, scoreMin, pad, whole, labels, regions = [] }: Cut): string =>
  JSON.stringify([
    [fanoutMax, String(scoreMin), pad, whole],
    labels ? [...labels].sort() : null,
    regions.map(({ x, y, width, height }) => [x, y, width, height]),
  ]);

function unreachable(document: QueryDocument, waiting: [string, QueryStage][]): ConfigError {
  const [name, stage] = waiting[0]!;
  const known = Object.hasOwn(document.stages, stage.from ?? '');
  return new ConfigError(
    known ? `stages read each other in a circle` : `reads stage "${stage.from}", which the query doesn't have`,
    {
      field: `stages.${name}.from`,
      remedy: known
        ? 'let at least one of them read the frame: omit its `from`'
        : `use one of ${Object.keys(document.stages).join(', ')}, or omit \`from\` to read the frame`,
    },
  );
}

/** `*` matches any characters. */
const glob = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`);
