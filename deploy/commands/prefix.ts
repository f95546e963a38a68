import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { ConfigError, describeError } from '../../contracts/index.ts';
import {
  prefixJson,
  prefixPage,
  prefixReport,
  prefixSvg,
  readModels,
  study,
  writeParts,
  type Dims,
} from '../prefix/index.ts';
import type { Io } from '../terminal/index.ts';
import { EXIT, printJson, type ExitCode } from './program.ts';

interface PrefixFlags {
  readonly cut?: string;
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
      const written = flags.write === undefined ? [] : await writeParts(flags.write, found, models);
      if (flags.html !== undefined) await write(flags.html, prefixPage(found));
      if (flags.svg !== undefined) await write(flags.svg, prefixSvg(found));
      if (flags.json) printJson(io, prefixJson(found, written));
      else {
        io.out(`${prefixReport(found, io).join('\n')}\n`);
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

async function write(file: string, content: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  } catch (error) {
    throw new ConfigError(`can't be written: ${describeError(error)}`, { file }, { cause: error });
  }
}
