import type { Answers } from '../../contracts/index.ts';
import { encodedBytesMax } from './size.ts';

/** Names and fixed fields of the message, and the three numbers of a column beside the answer, at their longest. */
const HEAD_BYTES = 256;
const ROW_BYTES = 3 * 9;

/** What is said to a router, in several messages where one would exceed `bytesMax`. An answer that is too large by itself becomes `failed`, saying so. */
export function withinBytes(whole: Answers, bytesMax: number): Answers[] {
  const messages: Answers[] = [];
  const headBytes = HEAD_BYTES + encodedBytesMax(whole.host) + encodedBytesMax(whole.batch);
  let message: Answers | undefined;
  let bytes = 0;
  for (const [i, answer] of whole.answers.entries()) {
    const model = whole.model[i]!;
    const fixedBytes = ROW_BYTES + encodedBytesMax(model);
    let said = answer;
    let answerBytes = encodedBytesMax(answer);
    if (headBytes + fixedBytes + answerBytes > bytesMax) {
      said = tooLarge(answerBytes, bytesMax);
      answerBytes = encodedBytesMax(said);
    }
    const rowBytes = fixedBytes + answerBytes;
    if (!message || bytes + rowBytes > bytesMax) {
      message = { ...whole, model: [], ids: [], answers: [], transferMs: [], waitMs: [] };
      messages.push(message);
      bytes = headBytes;
    }
    message.model.push(model);
    message.ids.push(whole.ids[i]!);
    message.answers.push(said);
    message.transferMs.push(whole.transferMs[i]!);
    message.waitMs.push(whole.waitMs[i]!);
    bytes += rowBytes;
  }
  return messages;
}

const tooLarge = (bytes: number, bytesMax: number): Answers['answers'][number] => ({
  is: 'failed',
  reason: 'model',
  detail:
    `the output takes about ${bytes} bytes, the bus carries ${bytesMax} in one message; ` +
    `let postprocessing return less, or raise the server's max_payload`,
});
