import type {
  DropReason,
  Outcome,
  Output,
  Payload,
  Picture,
  Size,
  StageResult,
  Trouble,
} from '../../contracts/index.ts';
import { choose, lets, toFrame, type Piece } from './boxes.ts';
import type { Route } from './catalog.ts';
import { NONE, UNGRANTED } from './lives.ts';
import type { Answered, CutJob, Effects, Granted, Invocation, Request, SizeJob } from './lives.ts';
import type { Stage } from './query.ts';
import { judge } from './suspicion.ts';
import { timingOf } from './timing.ts';
import * as trouble from './trouble.ts';

/** An invocation is given up after so many grants that no host answered. */
const GRANTS_MAX = 3;
const REPEAT_MS_MIN = 50;
const ANSWER_SLACK_MS = 100;
/** How often it is asked what became of a host, before the next one is given what may have killed it. */
const FATE_MS = 100;

/** Starts an accepted request: the stages that read the frame. */
export function begin(request: Request, nowMs: number, fx: Effects): void {
  for (const stage of request.query.stages)
    if (stage.from < 0) invoke(request, stage, -1, undefined, request.payload, 0, nowMs, nowMs, fx);
  fx.wakeAt(request);
}

/** A grant came. False: don't send the payload (there were enough grants already). */
export function grant(invocation: Invocation, granted: Granted, fx: Effects): boolean {
  if (invocation.grants >= GRANTS_MAX) return false;
  invocation.grants++;
  invocation.state = 'granted';
  invocation.granted = granted;
  invocation.dueAtMs = granted.atMs + 2 * granted.answerInMs + ANSWER_SLACK_MS;
  const { request } = invocation;
  // Nothing is repeated any more: unless others wait for a grant, the request can sleep on.
  if (request.invocations.length === 1)
    request.wakeAtMs = Math.max(request.wakeAtMs, Math.min(request.deadlineMs, invocation.dueAtMs));
  wakeBy(invocation, fx);
  return true;
}

/**
 * The batcher gave it up. Ignored while a host is at it: then the drop concerns a repeated offer. Where the share of its stage was only too
 * short for inputs that came together, it borrows once from the stages behind: they are planned more than they need.
 */
export function dropByBatcher(invocation: Invocation, reason: DropReason, nowMs: number, fx: Effects): void {
  if (invocation.state !== 'queued') return;
  if (reason === 'budget' && !invocation.borrows) {
    const route = fx.routeOf(invocation.request.query, invocation.stage);
    invocation.borrows = route !== undefined && route.reserveMinMs < route.reserveMs;
    if (invocation.borrows) return offer(invocation, nowMs, fx);
  }
  finish(invocation.request, 'dropped', trouble.droppedByBatcher(invocation, reason), nowMs, fx);
}

/** A host answered: this is number `index` of what it said. The first answer wins: the caller finds no invocation for a second one. */
export function answer(invocation: Invocation, all: Answered, index: number, nowMs: number, fx: Effects): void {
  const said = all.answers[index]!;
  if (said.is === 'output') return takeOutput(invocation, said.output, all, index, nowMs, fx);
  const { request } = invocation;
  const current = invocation.state === 'granted' && invocation.granted.batch === all.batch;
  if (said.is === 'refused') {
    if (!current) return;
    if (said.reason === 'wrong-output') {
      if (invocation.wrongOn !== '')
        return finish(request, 'failed', trouble.wrongTwice(invocation, said.detail), nowMs, fx);
      invocation.wrongOn = all.host;
    }
    if (said.reason === 'device-lost') suspect(invocation, true, fx);
    offerAgain(invocation, nowMs, fx);
  } else if (said.is === 'dropped') {
    // An earlier grant's drop says nothing about the chance that the invocation has now.
    if (current) finish(request, 'dropped', trouble.droppedByHost(invocation, said.reason), nowMs, fx);
  } else {
    finish(request, 'failed', trouble.failedOnHost(invocation, all.host, said), nowMs, fx);
  }
}

/** The answer won't come any more: its host is gone (`withHost`), or messages were lost. */
export function lose(invocation: Invocation, withHost: boolean, nowMs: number, fx: Effects): void {
  if (invocation.state !== 'granted') return;
  if (withHost) suspect(invocation, false, fx);
  offerAgain(invocation, nowMs, fx);
}

/** Offers what waits for a grant again: the plan changed, or offers may have been lost. */
export function repeat(invocation: Invocation, nowMs: number, fx: Effects): void {
  if (invocation.state === 'queued' && !invocation.request.ended) offer(invocation, nowMs, fx);
}

/** The pieces are cut out: one invocation for each piece and stage. */
export function takeCuts(job: CutJob, pictures: readonly Picture[], nowMs: number, fx: Effects): void {
  const { request, parent } = job;
  if (request.ended) return;
  request.cutting--;
  for (let i = 0; i < job.pieces.length; i++) {
    const { piece, stages } = job.pieces[i]!;
    const picture = pictures[i];
    if (!picture) return failCut(job, 'the picture was not cut into as many pieces as asked for', false, nowMs, fx);
    for (const stage of stages) {
      const bytes = picture.data.byteLength;
      if (!fx.hold(bytes))
        return finish(request, 'dropped', trouble.noRoomForCrops(request.query.stages[stage]!), nowMs, fx);
      invoke(request, request.query.stages[stage]!, parent, piece, picture, bytes, job.bornAtMs, nowMs, fx);
      if (request.ended) return;
    }
  }
  settle(request, nowMs, fx);
}

/** The size of the frame is known: the boxes that waited for it are chosen. */
export function takeSize({ request, stage, output, parent }: SizeJob, size: Size, nowMs: number, fx: Effects): void {
  if (request.ended) return;
  request.cutting--;
  request.size = size;
  fanOut(request, stage, output, parent, nowMs, fx);
  settle(request, nowMs, fx);
}

export function failSize(
  { request, stage }: SizeJob,
  detail: string,
  input: boolean,
  nowMs: number,
  fx: Effects,
): void {
  const behind = request.query.stages[stage.cuts[0]!.stages[0]!]!;
  finish(request, 'failed', trouble.failedCut(behind, detail, input), nowMs, fx);
}

/** `input`: the picture itself can't be cut; else the fault is ours. */
export function failCut(job: CutJob, detail: string, input: boolean, nowMs: number, fx: Effects): void {
  const stage = job.request.query.stages[job.pieces[0]!.stages[0]!]!;
  finish(job.request, 'failed', trouble.failedCut(stage, detail, input), nowMs, fx);
}

/** Time has come for something: a repeated offer, an answer that is overdue, the deadline. */
export function wake(request: Request, nowMs: number, fx: Effects): void {
  if (request.ended) return;
  const over = nowMs >= request.deadlineMs;
  if (over && request.cutting > 0) return finish(request, 'dropped', trouble.late(request, undefined), nowMs, fx);
  let nextMs = over ? Infinity : request.deadlineMs;
  for (const invocation of request.invocations) {
    if (invocation.state === 'done') continue;
    if (invocation.state === 'granted' && invocation.dueAtMs <= nowMs) suspect(invocation, false, fx);
    if (over && (invocation.state === 'queued' || invocation.dueAtMs <= nowMs))
      return finish(request, 'dropped', trouble.late(request, invocation), nowMs, fx);
    if (invocation.dueAtMs <= nowMs) {
      if (invocation.state === 'queued') offer(invocation, nowMs, fx);
      else offerAgain(invocation, nowMs, fx);
      if (request.ended) return;
    }
    nextMs = Math.min(nextMs, invocation.dueAtMs);
  }
  request.wakeAtMs = nextMs;
  fx.wakeAt(request);
}

/** Ends it from outside: the router stops, or its payload can't be sent. */
export function giveUp(request: Request, outcome: Outcome, why: Trouble, nowMs: number, fx: Effects): void {
  finish(request, outcome, why, nowMs, fx);
}

function invoke(
  request: Request,
  stage: Stage,
  parent: number,
  piece: Piece | undefined,
  payload: Payload | undefined,
  bytes: number,
  bornAtMs: number,
  nowMs: number,
  fx: Effects,
): void {
  if (request.ended) return;
  const invocation: Invocation = {
    id: fx.nextId(),
    request,
    stage,
    parent,
    item: piece ? piece.item : -1,
    piece,
    payload,
    bytes,
    bornAtMs,
    offeredAtMs: -1,
    state: 'queued',
    dueAtMs: Infinity,
    pool: '',
    grants: 0,
    granted: UNGRANTED,
    alone: false,
    borrows: false,
    losses: NONE,
    wrongOn: '',
  };
  invocation.losses = fx.lossesBefore(invocation);
  if (request.invocations.length === 0) request.invocations = [invocation];
  else request.invocations.push(invocation);
  request.open++;
  fx.track(invocation);
  offer(invocation, nowMs, fx);
}

/** An offer for which no time is left ends the request. */
function offer(invocation: Invocation, nowMs: number, fx: Effects): void {
  const { request, stage } = invocation;
  const leftMs = request.deadlineMs - nowMs;
  if (leftMs <= 0) return finish(request, 'dropped', trouble.noTime(invocation), nowMs, fx);
  const { losses } = invocation;
  const verdict = losses.length === 0 ? 'innocent' : judge(losses, loss => fx.fateOf(loss));
  if (verdict === 'poison') return finish(request, 'failed', trouble.poison(invocation), nowMs, fx);
  if (verdict === 'unclear') {
    invocation.dueAtMs = nowMs + FATE_MS;
    return wakeBy(invocation, fx);
  }
  if (invocation.grants >= GRANTS_MAX) return finish(request, 'dropped', trouble.noAnswer(invocation), nowMs, fx);
  invocation.alone = verdict === 'suspect' || invocation.wrongOn !== '';
  const route = fx.routeOf(request.query, stage);
  const budgetMs = route ? budgetOf(route, leftMs, invocation.borrows) : leftMs;
  invocation.dueAtMs = nowMs + Math.max(REPEAT_MS_MIN, budgetMs / 4);
  if (route) {
    if (invocation.pool !== '' && invocation.pool !== route.pool) fx.withdraw(invocation);
    invocation.pool = route.pool;
    fx.offer(invocation, route, budgetMs);
    if (invocation.offeredAtMs < 0) invocation.offeredAtMs = nowMs;
  }
  wakeBy(invocation, fx);
}

/** What earlier stages left over is this one's; what is missing (an old frame, a lost host) all stages bear in proportion. */
function budgetOf({ budgetMs, reserveMs, reserveMinMs }: Route, leftMs: number, borrows: boolean): number {
  const share = reserveMs > 0 ? budgetMs / (budgetMs + reserveMs) : 1;
  return Math.max(leftMs - (borrows ? reserveMinMs : reserveMs), leftMs * share);
}

function offerAgain(invocation: Invocation, nowMs: number, fx: Effects): void {
  const { request } = invocation;
  if (nowMs >= request.deadlineMs) return finish(request, 'dropped', trouble.late(request, invocation), nowMs, fx);
  invocation.state = 'queued';
  offer(invocation, nowMs, fx);
}

/** Its host gave no answer, and perhaps died of it. `certain`: the host says that it did. */
function suspect(invocation: Invocation, certain: boolean, fx: Effects): void {
  const { granted, alone } = invocation;
  const { host, incarnation } = granted;
  if (incarnation === '') return;
  const sinceMs = granted.atMs + granted.answerInMs;
  invocation.losses = [...invocation.losses, { host, incarnation, sinceMs, alone, certain }];
  fx.suspected(invocation);
}

function takeOutput(
  invocation: Invocation,
  raw: Output,
  all: Answered,
  index: number,
  nowMs: number,
  fx: Effects,
): void {
  const { request, stage, piece } = invocation;
  const crop = invocation.payload?.encoding === 'tensors' ? undefined : invocation.payload;
  const output = toFrame(raw, piece?.region, crop);
  const result: StageResult = {
    output,
    model: all.model[index] ?? '',
    host: all.host,
    batch: all.size,
    timing: timingOf(invocation, invocation.granted.atMs, all, index, nowMs),
  };
  // Not by spreading, which takes longer than all the rest of this.
  if (invocation.parent >= 0) {
    result.from = request.query.stages[stage.from]!.name;
    result.parent = invocation.parent;
  }
  if (invocation.item >= 0) result.item = invocation.item;
  const at = keepResult(request, stage, result);
  request.lastStage = stage.index;
  request.lastIndex = at;
  request.emulated ||= all.emulated;
  const queued = invocation.state === 'queued';
  close(invocation, true, fx);
  if (queued) fx.withdraw(invocation); // offered again meanwhile
  if (stage.cuts.length > 0) fanOut(request, stage, output, at, nowMs, fx);
  settle(request, nowMs, fx);
}

/** @returns its index among the results of the stage. Most stages have one: a list that begins with it is as long as it needs to be. */
function keepResult({ results }: Request, { index }: Stage, result: StageResult): number {
  const known = results[index]!;
  if (known.length > 0) return known.push(result) - 1;
  results[index] = [result];
  return 0;
}

/** Feeds the stages that read this one. */
function fanOut(request: Request, stage: Stage, output: Output, parent: number, nowMs: number, fx: Effects): void {
  const { stages } = request.query;
  if (output.kind === 'boxes' && !request.size && stage.cuts.some(({ regions }) => regions)) {
    request.cutting++;
    fx.measure({ request, stage, output, parent }, request.payload as Picture);
    return;
  }
  const pieces: { piece: Piece; stages: readonly number[] }[] = [];
  for (const cut of stage.cuts) {
    if (!cut.whole && output.kind !== 'boxes')
      return finish(request, 'failed', trouble.noBoxes(stages[cut.stages[0]!]!, stage, output.kind), nowMs, fx);
    const chosen = cut.whole || output.kind !== 'boxes' ? [] : choose(cut, output.boxes, request.size);
    const whole = cut.whole && lets(cut, output, request.size);
    for (const index of cut.stages) fx.fannedOut(request, index, whole ? 1 : chosen.length);
    for (const piece of chosen) pieces.push({ piece, stages: cut.stages });
    if (!whole) continue;
    for (const index of cut.stages)
      invoke(request, stages[index]!, parent, undefined, request.payload, 0, nowMs, nowMs, fx);
    if (request.ended) return;
  }
  if (pieces.length === 0) return;
  if (nowMs >= request.deadlineMs) return finish(request, 'dropped', trouble.late(request, undefined), nowMs, fx);
  request.cutting++;
  fx.cut({ request, parent, bornAtMs: nowMs, pieces }, request.payload as Picture);
}

/** Ends the request when nothing is left to wait for. */
function settle(request: Request, nowMs: number, fx: Effects): void {
  if (request.ended || request.open > 0 || request.cutting > 0) return;
  finish(request, nowMs <= request.deadlineMs ? 'ok' : 'late', undefined, nowMs, fx);
}

function close(invocation: Invocation, answered: boolean, fx: Effects): void {
  if (invocation.state === 'done') return;
  invocation.state = 'done';
  invocation.payload = undefined;
  invocation.request.open--;
  fx.untrack(invocation, answered);
  if (invocation.bytes > 0) fx.release(invocation.bytes);
}

/** The one end of every request. */
function finish(request: Request, outcome: Outcome, why: Trouble | undefined, nowMs: number, fx: Effects): void {
  if (request.ended) return;
  request.ended = true;
  request.wakeAtMs = Infinity;
  if (request.open > 0) {
    for (const invocation of request.invocations) {
      if (invocation.state === 'queued' && invocation.pool !== '') fx.withdraw(invocation);
      close(invocation, false, fx);
    }
  }
  fx.release(request.payloadBytes);
  fx.end(request, outcome, why, nowMs);
  // The collector may find the request itself only much later: not what it held.
  request.payload = undefined;
  request.invocations = NONE;
  request.results = NONE;
}

function wakeBy(invocation: Invocation, fx: Effects): void {
  const { request } = invocation;
  if (invocation.dueAtMs >= request.wakeAtMs) return;
  request.wakeAtMs = invocation.dueAtMs;
  fx.wakeAt(request);
}
