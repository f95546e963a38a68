import { ITEMS_PER_MESSAGE_MAX, type Answer, type Answers } from '../../contracts/index.ts';
import { encodedBytesMax } from './size.ts';

/** What is said of one invocation. */
export interface Reply {
  readonly router: string;
  readonly id: number;
  readonly model: string;
  readonly answer: Answer;
  readonly transferMs: number;
  readonly waitMs: number;
}

export type AnswersHead = Pick<Answers, 'host' | 'batch' | 'emulated' | 'size' | 'runMs' | 'sinceRunMs'>;

/** Names and fixed fields of the message, and the three numbers of a column beside the answer, at their longest. */
const HEAD_BYTES = 256;
const ROW_BYTES = 3 * 9;

/**
 * One message per router, or several where one would exceed `bytesMax` or the number of items. An answer that is too
 * large by itself becomes `failed`, saying so.
 */
export function answersOf(
  head: AnswersHead,
  replies: readonly Reply[],
  bytesMax: number,
): { router: string; message: Answers }[] {
  const messages: { router: string; message: Answers }[] = [];
  const headBytes = HEAD_BYTES + encodedBytesMax(head.host) + encodedBytesMax(head.batch);
  for (const [router, ofRouter] of byRouter(replies)) {
    let message: Answers | undefined;
    let bytes = 0;
    for (const { id, model, answer, transferMs, waitMs } of ofRouter) {
      const fixedBytes = ROW_BYTES + encodedBytesMax(model);
      let said = answer;
      let answerBytes = encodedBytesMax(answer);
      if (headBytes + fixedBytes + answerBytes > bytesMax) {
        said = tooLarge(answerBytes, bytesMax);
        answerBytes = encodedBytesMax(said);
      }
      const rowBytes = fixedBytes + answerBytes;
      if (!message || bytes + rowBytes > bytesMax || message.ids.length >= ITEMS_PER_MESSAGE_MAX) {
        message = { v: 1, ...head, model: [], ids: [], answers: [], transferMs: [], waitMs: [] };
        messages.push({ router, message });
        bytes = headBytes;
      }
      message.model.push(model);
      message.ids.push(id);
      message.answers.push(said);
      message.transferMs.push(transferMs);
      message.waitMs.push(waitMs);
      bytes += rowBytes;
    }
  }
  return messages;
}

const tooLarge = (bytes: number, bytesMax: number): Answer => ({
  is: 'failed',
  reason: 'model',
  detail:
    `the output takes about ${bytes} bytes, the bus carries ${bytesMax} in one message; ` +
    `let postprocessing return less, or raise the server's max_payload`,
});

function byRouter(replies: readonly Reply[]): Map<string, Reply[]> {
  const groups = new Map<string, Reply[]>();
  for (const reply of replies) {
    const group = groups.get(reply.router);
    if (group) group.push(reply);
    else groups.set(reply.router, [reply]);
  }
  return groups;
}
