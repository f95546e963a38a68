import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { decode, encode } from '../../bus/index.ts';
import {
  ErrorReply,
  RemoteError,
  subjects,
  validator,
  type Bus,
  type Picture,
  type Result,
} from '../../contracts/index.ts';
import { annotate, labelledBoxes, readPicture } from '../annotate/index.ts';
import type { Io } from '../terminal/index.ts';
import {
  EXIT,
  numberOption,
  printJson,
  withBus,
  withClusterFlags,
  type ClusterFlags,
  type ExitCode,
} from './program.ts';
import { resultLine } from './results.ts';

interface InferFlags extends ClusterFlags {
  readonly budget?: number;
  readonly annotate?: string;
}

/** What the answer may take beyond its budget: the way there and back, a router that is starting. */
const SLACK_MS = 5_000;
const TIMEOUT_WITHOUT_BUDGET_MS = 35_000;

export function inferCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  withClusterFlags(program.command('infer'))
    .argument('<query>')
    .argument('<picture>', 'JPEG, PNG or WebP; other formats that sharp reads are converted; - for standard input')
    .description('Ask a query about one picture.')
    .option('--budget <ms>', "instead of the query's objective", numberOption({ min: 1, max: 3_600_000 }))
    .option('--annotate <file>', 'write the picture with boxes and words as PNG')
    .option('--json', 'print the Result as JSON (binary as base64)')
    .addHelpText(
      'after',
      '\nExample:\n  ganglion infer scoreboard frame.jpg --annotate out.png\n\nExit code 0 when the outcome is ok or late, else 1.',
    )
    .action(async (query: string, file: string, flags: InferFlags) => {
      const picture = await readPicture(file, file === '-' ? await standardInput() : undefined);
      const result = await withBus(io, flags, 'infer', bus => infer(bus, query, picture, flags));
      if (flags.json) printJson(io, result);
      else printResult(io, result);
      if (flags.annotate !== undefined) {
        await writeFile(flags.annotate, await annotate(picture, result));
        if (!flags.json) io.err(io.style.dim(`${flags.annotate} written\n`));
      }
      end(result.outcome === 'ok' || result.outcome === 'late' ? EXIT.ok : EXIT.failed);
    });
}

const errorReply = validator(ErrorReply);

/** @throws NoResponderError when no router runs, RequestTimeoutError, RemoteError, PayloadTooLargeError */
async function infer(bus: Bus, query: string, picture: Picture, flags: InferFlags): Promise<Result> {
  const { prefix, tenant, budget } = flags;
  const subject = subjects.infer.at(prefix, { tenant, query });
  const request = encode({ v: 1, payload: picture, ...(budget === undefined ? {} : { budgetMs: budget }) });
  const timeoutMs = budget === undefined ? TIMEOUT_WITHOUT_BUDGET_MS : budget + SLACK_MS;
  const reply = decode((await bus.request(subject, request, { timeoutMs })).data);
  if (errorReply.accepts(reply)) {
    const { code, detail, retryable } = reply.error;
    throw new RemoteError({ subject, remoteCode: code, detail, retryable });
  }
  return subjects.infer.reply!.check(reply, `answer on ${subject}`);
}

async function standardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return new Uint8Array(Buffer.concat(chunks));
}

/** The line of `ganglion results`, then each box on a line of its own. */
function printResult(io: Io, result: Result): void {
  io.out(`${resultLine({ ...result, stages: {} }, io.style)}\n`);
  const { boxes, whole } = labelledBoxes(result);
  for (const text of whole) io.out(`  ${text}\n`);
  for (const { box, text } of boxes) {
    const place = `${box.x.toFixed(0)},${box.y.toFixed(0)} ${box.width.toFixed(0)}×${box.height.toFixed(0)}`;
    io.out(`  ${io.style.dim(place.padEnd(20))} ${text === '' ? `score ${box.score.toFixed(2)}` : text}\n`);
  }
}
