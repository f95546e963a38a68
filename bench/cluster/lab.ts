import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { compile, searchGoodput, simulate, type Outcome, type ScenarioDocument } from '../../deploy/simulate/index.ts';

/** A scenario of the evaluation; how long it runs follows from its rates and {@link LabOptions.frames}. */
export type Setting = Omit<ScenarioDocument, 'durationS' | 'warmupS' | 'seed'> & {
  /**
   * All devices are given out once, for the `rateHz` of the queries whatever the streams send: what a number of GPUs can do is measured.
   * Else the allocator takes as many as it thinks are needed.
   */
  readonly allGiven?: boolean;
  /** Longest objectives that a run lasts at least, and those of its warm-up; default 32 and 8. */
  readonly lasts?: { readonly objectives: number; readonly warmup: number };
};

/** It plans at the beginning and never again. */
const NO_EPOCHS = { epochS: 1e6, epochMinMs: 1e9 };

/** What is kept of a run. */
export interface Point {
  readonly factor: number;
  readonly frames: number;
  readonly offeredHz: number;
  readonly goodHz: number;
  readonly badRate: number;
  /** Of the query that fared worst. */
  readonly worstBadRate: number;
  /** Queries of which less than 98 % were in time, by two standard errors. */
  readonly clearlyBelow98: number;
  readonly gpusUsed: number;
  readonly busyMean: number;
  readonly meanBatch: Readonly<Record<string, number>>;
}

/** The highest rate with 99 % in time: mean over the seeds, and their range. */
export interface Goodput {
  readonly hz: number;
  readonly lowHz: number;
  readonly highHz: number;
  /** Rates below it at which more than 1 % were clearly bad, Hz. */
  readonly failedHz: readonly number[];
  readonly points: number;
}

export interface LabOptions {
  readonly cacheDir: string;
  /** Of the code that runs: what was measured with another is measured again. */
  readonly version: string;
  /** Rows may leave something out. */
  readonly quick: boolean;
  /** Measured in each run, at least. */
  readonly frames: number;
  readonly seeds: readonly number[];
  readonly precision: number;
  readonly say: (line: string) => void;
}

/** An overload shows only when what piles up is more than the objective allows: after 32 of them one of 3 % does. */
const LASTS = { objectives: 32, warmup: 8 };
const WARMUP_S_MIN = 0.7;
/** Shares of a goodput at which it is looked again. */
const LOWER = [0.6, 0.85];
/** Where the search of another seed begins and how it goes on: close to what the first one found. */
const NEXT_STEP = 1.02;

/** Runs scenarios and remembers what they came to, so that a run that was stopped goes on where it was. */
export class Lab {
  readonly options: LabOptions;
  /** Processor time of what was run, and read from the cache. */
  spentS = 0;
  readonly #startedS = cpuS();

  constructor(options: LabOptions) {
    this.options = options;
    mkdirSync(options.cacheDir, { recursive: true });
  }

  get ownS(): number {
    return cpuS() - this.#startedS;
  }

  async point(setting: Setting, seed: number, factor: number, frames = this.options.frames): Promise<Point> {
    const rateHz = factor * rateOf(setting);
    const longestS = Math.max(...setting.queries.map(({ objectiveMs }) => objectiveMs)) / 1000;
    const { allGiven = false, lasts = LASTS, ...rest } = setting;
    const document: ScenarioDocument = {
      ...rest,
      ...(allGiven ? { queries: declaring(setting, factor), config: { ...setting.config, allocator: NO_EPOCHS } } : {}),
      seed,
      durationS: Math.max(frames / rateHz, lasts.objectives * longestS),
      warmupS: Math.max(WARMUP_S_MIN, lasts.warmup * longestS),
    };
    return this.remembered({ document, factor }, async () => digest(await this.#simulate(document, factor), factor));
  }

  /** The whole outcome of one run, as long as the document says. */
  outcome(document: ScenarioDocument): Promise<Outcome> {
    return this.remembered({ document, whole: true }, () => this.#simulate(document, 1));
  }

  /**
   * Highest rate of frames with 99 % in time, by search from about what is expected (`expected` × the setting's rates).
   * Lower rates that fail are told, and don't lower it.
   */
  async goodput(setting: Setting, { expected = 1, step = 1.06 } = {}): Promise<Goodput> {
    const { seeds, precision } = this.options;
    const found: number[] = [];
    const failedHz: number[] = [];
    let [start, by, points] = [expected, step, 0];
    for (const [i, seed] of seeds.entries()) {
      const trial = (factor: number): Promise<Point> => this.point(setting, seed, factor);
      const lower = i === 0 && !setting.allGiven ? LOWER : [];
      const around = { precision, start, step: by, lower, descend: false };
      const { best, failed, trials } = await searchGoodput(trial, around);
      // By the rate that was asked for: the one that came is the same for all systems, and chance.
      found.push(best.factor * rateOf(setting) * (1 - best.badRate));
      failedHz.push(...failed.map(({ offeredHz }) => offeredHz));
      points += trials.length;
      [start, by] = [best.factor, NEXT_STEP];
    }
    const hz = found.reduce((sum, one) => sum + one, 0) / found.length;
    return { hz, lowHz: Math.min(...found), highHz: Math.max(...found), failedHz, points };
  }

  /** What `make` gives, or gave when it was asked for the same with the same code. */
  async remembered<T>(what: object, make: () => Promise<T>): Promise<T> {
    const key = createHash('sha256')
      .update(JSON.stringify({ what, version: this.options.version }))
      .digest('hex');
    const file = `${this.options.cacheDir}/${key.slice(0, 32)}.json`;
    const known = read(file) as { value: T; spentS: number } | undefined;
    if (known) {
      this.spentS += known.spentS;
      return known.value;
    }
    const beganS = cpuS();
    const value = await make();
    const spentS = cpuS() - beganS;
    this.spentS += spentS;
    writeFileSync(`${file}.part`, JSON.stringify({ value, spentS, what }));
    renameSync(`${file}.part`, file);
    return value;
  }

  async #simulate(document: ScenarioDocument, factor: number): Promise<Outcome> {
    const file = { name: document.name ?? 'evaluation', document, sources: { profiles: [], traces: new Map() } };
    const began = cpuS();
    const outcome = await simulate(compile(file, factor));
    const { offeredHz, badRate, durationS, warmupS } = outcome;
    this.options.say(
      `${document.name ?? ''} seed ${document.seed} at ${offeredHz.toFixed(0)}/s: ${(100 * badRate).toFixed(2)} % bad ` +
        `(${(warmupS + durationS).toFixed(1)} s in ${(cpuS() - began).toFixed(1)} s)`,
    );
    return outcome;
  }
}

/** Frames a second of all streams. */
const rateOf = ({ streams }: Setting): number =>
  streams.reduce((sum, { count = 1, rateHz }) => sum + count * rateHz, 0);

/** Rates that stay as they are when those of the streams are multiplied. */
const declaring = ({ queries }: Setting, factor: number): Setting['queries'] =>
  queries.map(query => {
    if (query.rateHz === undefined) throw new Error(`query ${query.name}: which rate is planned for?`);
    return { ...query, rateHz: query.rateHz / factor };
  });

function digest({ offeredHz, goodHz, badRate, queries, gpus, models }: Outcome, factor: number): Point {
  return {
    factor,
    frames: queries.reduce((sum, { offered }) => sum + offered, 0),
    offeredHz,
    goodHz,
    badRate,
    worstBadRate: Math.max(...queries.map(query => query.badRate)),
    clearlyBelow98: queries.filter(
      query => query.badRate > 0.02 + 2 * Math.sqrt((0.02 * 0.98) / Math.max(1, query.offered)),
    ).length,
    gpusUsed: gpus.usedMean,
    busyMean: gpus.busyMean,
    meanBatch: Object.fromEntries(models.map(({ model, meanBatch }) => [model, meanBatch])),
  };
}

function cpuS(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function read(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
