import type { Answer, DropReason, GanglionError, Trouble } from '../../contracts/index.ts';
import { InvalidMessageError, PICTURE_BYTES_MAX, UnsupportedVersionError } from '../../contracts/index.ts';
import type { Query, Stage } from './query.ts';
import type { Invocation, Request } from './lives.ts';

/** Why requests don't end well, as sentences for people: what, where and what to do. */
const DETAIL_MAX = 1024;
const make = (at: Trouble['at'], reason: string, detail: string, retryable: boolean, stage?: string): Trouble => ({
  at,
  reason,
  detail: detail.slice(0, DETAIL_MAX),
  ...(stage === undefined ? {} : { stage }),
  retryable,
});
const ms = (value: number): string => `${Math.round(value * 10) / 10} ms`;

// ── At the door ─────────────────────────────────────────────────────────────────────────────────────────────────────

export const unknownQuery = (tenant: string, name: string): Trouble =>
  make('door', 'unknown-query', `tenant ${tenant} has no query ${name}; apply it, or correct the name`, false);

export const notServing = (name: string, why: string): Trouble =>
  make('door', 'not-serving', `query ${name} is not served now: ${why}`, true);

export const overloaded = (what: string): Trouble =>
  make('door', 'overloaded', `the router holds as much as it may (${what}); send less, or start more routers`, true);

export const tooLarge = (bytes: number, maxBytes: number): Trouble =>
  make(
    'door',
    'too-large',
    `${bytes} bytes exceed the ${maxBytes} that can travel to a host; ` +
      "send a smaller picture or raise the server's max_payload",
    false,
  );

export const malformed = (detail: string): Trouble => make('door', 'malformed', detail, false);

/** A message that could not be read. `bytes`: size of the packet. */
export function unreadable(error: GanglionError, bytes: number): Trouble {
  if (error instanceof UnsupportedVersionError) return make('door', 'unsupported-version', error.message, false);
  const large = bytes > PICTURE_BYTES_MAX && error instanceof InvalidMessageError;
  return make('door', large ? 'too-large' : 'malformed', error.message, error.retryable);
}

// ── On the way ──────────────────────────────────────────────────────────────────────────────────────────────────────

const TOO_LATE = 'no device could answer it in time; allow more time, send less, or add hosts';
const DROPS: Readonly<Record<DropReason, string>> = {
  deadline: TOO_LATE,
  budget: TOO_LATE,
  'no-capacity': 'the queue is full; send less, or add hosts',
  shutdown: 'it is shutting down; try again',
};

export const droppedByBatcher = ({ stage }: Invocation, reason: DropReason): Trouble =>
  make(
    'batcher',
    reason === 'budget' ? 'deadline' : reason,
    `the batcher dropped stage ${stage.name}: ${DROPS[reason]}`,
    true,
    stage.name,
  );

export const droppedByHost = ({ stage, granted }: Invocation, reason: DropReason): Trouble =>
  make('host', reason, `host ${granted.host} dropped stage ${stage.name}: ${DROPS[reason]}`, true, stage.name);

export const failedOnHost = ({ stage }: Invocation, host: string, said: Extract<Answer, { is: 'failed' }>): Trouble =>
  make(
    said.reason === 'model' ? 'device' : 'host',
    said.reason,
    `stage ${stage.name} failed on host ${host}: ${said.detail}`,
    said.reason === 'internal',
    stage.name,
  );

/** Not answered by the deadline. `invocation`: what was waited for, undefined while pieces were cut out. */
export function late({ objectiveMs, ageMs }: Request, invocation: Invocation | undefined): Trouble {
  const allowed = `${ms(objectiveMs)} were allowed${ageMs > 0 ? `, the frame was ${ms(ageMs)} old when it came` : ''}`;
  const stage = invocation?.stage.name;
  const what =
    invocation === undefined
      ? 'time was up before the boxes of the last result were cut out'
      : invocation.state === 'granted'
        ? `host ${invocation.granted.host} did not answer stage ${stage}; see whether it is alive`
        : invocation.pool === ''
          ? `the plan in force has no place for stage ${stage}`
          : `stage ${stage} was offered to ${invocation.pool} and ${
              invocation.grants === 0
                ? 'not granted'
                : `not granted again after host ${invocation.granted.host} was lost`
            }; see whether its batcher and hosts keep up`;
  return make('router', 'deadline', `${what}; ${allowed}`, true, stage);
}

/** Time was up before the stage was offered, or offered again. */
export const noTime = ({ stage, request: { objectiveMs, ageMs } }: Invocation): Trouble =>
  make(
    'router',
    'deadline',
    `nothing was left of ${ms(objectiveMs)} for stage ${stage.name}` +
      (ageMs > 0 ? `; the frame was ${ms(ageMs)} old when it came` : ''),
    true,
    stage.name,
  );

export const noAnswer = ({ stage, grants, granted }: Invocation): Trouble =>
  make(
    'router',
    'no-capacity',
    `stage ${stage.name} was granted ${grants} times and no host gave an answer, at last ${granted.host}; ` +
      'see whether the hosts are well',
    true,
    stage.name,
  );

export const noProspect = ({ name }: Query): Trouble =>
  make(
    'router',
    'no-capacity',
    `later stages of query ${name} drop what its first stage has worked for; send less, or add hosts`,
    true,
  );

export const poison = ({ stage, losses }: Invocation): Trouble =>
  make(
    'router',
    'poison',
    `hosts ${losses.map(({ host }) => host).join(', ')} died while they had this input for stage ${stage.name}, the last one while it had nothing else; ` +
      'it is not tried again: keep the input and see why the model breaks',
    false,
    stage.name,
  );

export const wrongTwice = (
  { stage, wrongOn, granted }: Invocation,
  detail = 'see what it does with this input',
): Trouble =>
  make(
    'device',
    'model',
    `stage ${stage.name} gave what can't be right on ${wrongOn} and on ${granted.host}: ${detail}`,
    false,
    stage.name,
  );

export const noRoomForCrops = (stage: Stage): Trouble =>
  make(
    'router',
    'no-capacity',
    `the pieces for stage ${stage.name} exceed what the router may hold (heldBytesMax); raise it, or lower fanoutMax`,
    true,
    stage.name,
  );

export const failedCut = (stage: Stage, detail: string, input: boolean): Trouble =>
  make(
    'router',
    input ? 'input' : 'internal',
    `the boxes for stage ${stage.name} could not be cut out: ${detail}`,
    !input,
    stage.name,
  );

export const noBoxes = (stage: Stage, from: Stage, kind: string): Trouble =>
  make(
    'router',
    'model',
    `stage ${stage.name} reads boxes of stage ${from.name}, whose model answers with ${kind}; ` +
      'use a detector there, or `whole: true`',
    false,
    stage.name,
  );

export const pieceTooLarge = (stage: Stage, bytes: number, maxBytes: number): Trouble =>
  make(
    'router',
    'input',
    `an input of ${bytes} bytes for stage ${stage.name} exceeds the ${maxBytes} that a message may have; ` +
      "send smaller pictures or raise the server's max_payload",
    false,
    stage.name,
  );

export const shutdown = (): Trouble =>
  make('router', 'shutdown', 'the router was stopped before the answer came; try again', true);

export const resultTooLarge = (bytes: number, maxBytes: number): Trouble =>
  make(
    'router',
    'too-large',
    `the result of ${bytes} bytes exceeds the ${maxBytes} that a message may have; ` +
      "let the model answer less or raise the server's max_payload",
    false,
  );
