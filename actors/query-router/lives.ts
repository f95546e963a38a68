import type {
  Answers,
  InferRequest,
  Outcome,
  Output,
  Payload,
  Picture,
  Size,
  StageResult,
  Trouble,
} from '../../contracts/index.ts';
import type { Sleeper } from './alarm-clock.ts';
import type { Piece } from './boxes.ts';
import type { Route, Taker } from './catalog.ts';
import type { Fate } from './hosts.ts';
import type { QueryMeter } from './meter.ts';
import type { Query, Stage } from './query.ts';
import type { Loss } from './suspicion.ts';

/** An empty list that many share: put another in its place, never add to it. */
export const NONE: never[] = [];
Object.freeze(NONE);

/** One frame (or one-off picture) for one query, from its acceptance to its one outcome. */
export interface Request extends Sleeper {
  readonly number: number;
  readonly query: Query;
  readonly meter: QueryMeter;
  readonly stream: string | undefined;
  readonly seq: number | undefined;
  readonly meta: InferRequest['meta'];
  /** Plan in force when it was accepted. */
  readonly epoch: number;
  readonly acceptedAtMs: number;
  readonly ageMs: number;
  readonly objectiveMs: number;
  readonly deadlineMs: number;
  readonly taker: Taker;
  payload: Payload | undefined;
  readonly payloadBytes: number;
  invocations: Invocation[];
  /** Invocations without an answer. */
  open: number;
  /** Cuts, and measurements for them, under way. */
  cutting: number;
  /** Of the frame; undefined until a stage asks for it. */
  size: Size | undefined;
  /** Per stage, in the order of the answers. */
  results: StageResult[][];
  /** Where the latest answer stands in `results`: the end of the critical path. */
  lastStage: number;
  lastIndex: number;
  emulated: boolean;
  ended: boolean;
}

/** One input of one stage. */
export interface Invocation {
  /** Unique within the router. */
  readonly id: number;
  readonly request: Request;
  readonly stage: Stage;
  /** Result of the previous stage that it came from, and which box of it; -1: the frame. */
  readonly parent: number;
  readonly item: number;
  /** The piece of the frame that its payload is; undefined: all of it. */
  readonly piece: Piece | undefined;
  payload: Payload | undefined;
  readonly bytes: number;
  readonly bornAtMs: number;
  /** First offer; -1 before it. */
  offeredAtMs: number;
  /** queued: in need of a grant; granted: an answer is awaited. */
  state: 'queued' | 'granted' | 'done';
  /** Queued: when to offer it again; granted: when its answer counts as lost. */
  dueAtMs: number;
  /** Pool of the latest offer; empty before it. */
  pool: string;
  grants: number;
  /** The latest one; {@link UNGRANTED} before it. */
  granted: Granted;
  /** Offered, or granted, to run with nothing else on its host. */
  alone: boolean;
  /** It takes of the time of later stages what they can spare. */
  borrows: boolean;
  /** Hosts that had it and gave no answer. */
  losses: readonly Loss[];
  /** A host whose output for it could not be right; empty: none. */
  wrongOn: string;
}

/** Boxes of one result that are to be cut out of the frame. */
export interface CutJob {
  readonly request: Request;
  readonly parent: number;
  readonly bornAtMs: number;
  /** Each piece with the stages that read it. */
  readonly pieces: readonly { readonly piece: Piece; readonly stages: readonly number[] }[];
}

/** Boxes that can't be chosen before the size of the frame is known. */
export interface SizeJob {
  readonly request: Request;
  readonly stage: Stage;
  readonly output: Output;
  readonly parent: number;
}

/** What a transition asks of the world; carried out at once, never answered by another transition before it returns. */
export interface Effects {
  nextId(): number;
  /** Undefined when the plan in force doesn't serve the query. */
  routeOf(query: Query, stage: Stage): Route | undefined;
  /** Accounts for payload bytes; false beyond the bound, then nothing was taken. */
  hold(bytes: number): boolean;
  release(bytes: number): void;
  track(invocation: Invocation): void;
  /** It has an answer (`answered`) or needs none any more. */
  untrack(invocation: Invocation, answered: boolean): void;
  offer(invocation: Invocation, route: Route, budgetMs: number): void;
  withdraw(invocation: Invocation): void;
  cut(job: CutJob, frame: Picture): void;
  measure(job: SizeJob, frame: Picture): void;
  /** A result of the stage before gave `count` inputs for `stage`. */
  fannedOut(request: Request, stage: number, count: number): void;
  fateOf(loss: Loss): Fate;
  /** What earlier attempts with the same stored frame tell. */
  lossesBefore(invocation: Invocation): readonly Loss[];
  /** Its losses have changed. */
  suspected(invocation: Invocation): void;
  /** `request.wakeAtMs` is what counts from now on. */
  wakeAt(request: Request): void;
  end(request: Request, outcome: Outcome, trouble: Trouble | undefined, nowMs: number): void;
}

/** What a batcher granted: a place in a batch on a host; the same for all that have a place in it. */
export interface Granted {
  readonly batch: string;
  readonly host: string;
  /** Empty for a host that was never heard. */
  readonly incarnation: string;
  /** When it came, and how long after that the answer is expected. */
  readonly atMs: number;
  readonly answerInMs: number;
}

/** What an invocation has before its first grant. */
export const UNGRANTED: Granted = { batch: '', host: '', incarnation: '', atMs: 0, answerInMs: 0 };

/** The answers of one batch, as they came; columns. */
export type Answered = Pick<
  Answers,
  'host' | 'batch' | 'size' | 'emulated' | 'answers' | 'model' | 'transferMs' | 'waitMs' | 'runMs'
>;
