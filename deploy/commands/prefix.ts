import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { realClock, systemRandom } from '../../bus/index.ts';
import { ConfigError, describeError, silentLog } from '../../contracts/index.ts';
import { openDevice } from '../../gpu-host/index.ts';
import {
  measureCuts,
  prefixJson,
  prefixPage,
  prefixReport,
  prefixSvg,
  readModels,
  study,
  writeParts,
  type Dims,
  type Measured,
  type NamedModel,
  type Study,
} from '../prefix/index.ts';
import type { Io } from '../terminal/index.ts';
import { EXIT, printJson, type ExitCode } from './program.ts';

interface PrefixFlags {
  readonly cut?: string;
  readonly measure?: number | true;
  readonly write?: string;
  readonly shape: Dims;
  readonly html?: string;
  readonly svg?: string;
  readonly json?: boolean;
}

export function prefixCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  program
    .command('prefix')
    .argument('<models...>', 'ONNX files, model documents (YAML), folders of documents')
    .description('What models share: their common leading parts, where they could be cut, and what that saves.')
    .option('--cut <which>', 'number of a cut in the first table, or the beginning of its hash; default: the best')
    .option('--write <folder>', 'write the parts, cut there: one prefix for each group, a suffix for each model')
    .option('--shape <input=dims>', 'sizes of an ONNX file whose input has none, such as x=1,3,48,320', shape, {})
    .option('--html <file>', 'write a page with the picture and all cuts')
    .option('--svg <file>', 'write only the picture')
    .option(
      '--measure [batch]',
      'run the parts on either side of each cut on this CPU, one input and a batch (default 4)',
      larger,
    )
    .option('--json', 'print everything for programs')
    .addHelpText(
      'after',
      `
Examples:
  ganglion prefix examples/models/ppocr-rec.yaml readers
  ganglion prefix a.onnx b.onnx c.onnx --html shared.html
  ganglion prefix a.onnx b.onnx --cut 2 --write parts`,
    )
    .action(async (files: string[], flags: PrefixFlags) => {
      const models = await readModels(files, flags.shape);
      if (models.length < 2)
        throw new ConfigError(`${models[0]!.name} is one model: what is shared takes two`, {
          remedy: 'name more files',
        });
      const found = study(models, flags.cut);
      const measured = await measure(found, models, flags.measure, io);
      const written = flags.write === undefined ? [] : await writeParts(flags.write, found, models);
      if (flags.html !== undefined) await write(flags.html, prefixPage(found, measured));
      if (flags.svg !== undefined) await write(flags.svg, prefixSvg(found));
      if (flags.json) printJson(io, prefixJson(found, measured, written));
      else {
        io.out(`${prefixReport(found, measured, io).join('\n')}\n`);
        if (written.length > 0) io.out(io.style.dim(`${written.join(', ')} written\n`));
      }
      end(EXIT.ok);
    });
}

function shape(text: string, before: Dims): Dims {
  const [, input, list] = /^([^=]+)=(\d+(?:,\d+)*)$/.exec(text) ?? [];
  if (input === undefined)
    throw new InvalidArgumentError('Use input=dims with the batch in front, such as x=1,3,48,320.');
  return { ...before, [input]: list!.split(',').map(Number) };
}

const BATCH_DEFAULT = 4;
const BATCH_MAX = 64;

function larger(text: string): number {
  const batch = Number(text);
  if (!Number.isInteger(batch) || batch < 1 || batch > BATCH_MAX)
    throw new InvalidArgumentError(`A whole number from 1 to ${BATCH_MAX}.`);
  return batch;
}

/** On one thread of the CPU. Nothing where it isn't asked for. */
async function measure(
  found: Study,
  models: readonly NamedModel[],
  asked: number | true | undefined,
  io: Io,
): Promise<Measured> {
  if (asked === undefined) return new Map();
  const device = await openDevice(
    { kind: 'onnx', providers: ['cpu'], threads: 1 },
    { clock: realClock, random: systemRandom, log: silentLog },
  );
  try {
    return await measureCuts(found, models, {
      device,
      clock: realClock,
      batchMax: asked === true ? BATCH_DEFAULT : asked,
      onProgress: (done, all) => io.err(io.style.dim(`measured ${done} of ${all} cuts\n`)),
    });
  } finally {
    await device.close();
  }
}

async function write(file: string, content: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  } catch (error) {
    throw new ConfigError(`can't be written: ${describeError(error)}`, { file }, { cause: error });
  }
}
