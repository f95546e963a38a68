import { InvalidArgumentError, Option, type Command } from 'commander';
import { realClock, systemRandom } from '../../bus/index.ts';
import { ConfigError, isToken, type DeviceSettings } from '../../contracts/index.ts';
import { openDevice } from '../../gpu-host/index.ts';
import { prettyLog } from '../log.ts';
import {
  ALPHABETS,
  fitClassifier,
  labelledFiles,
  restrictReader,
  writeModelFolder,
  type AlphabetName,
  type FittedClassifier,
} from '../specialize/index.ts';
import { didYouMean } from '../documents/index.ts';
import { formatBytes, formatPercent, progressLine, table, type Io } from '../terminal/index.ts';
import { deviceSettings } from './device-option.ts';
import { modelOfFile } from './model-file.ts';
import { EXIT, numberOption, printJson, type ExitCode } from './program.ts';

interface AlphabetFlags {
  readonly keep?: string;
  readonly alphabet?: readonly AlphabetName[];
  readonly out: string;
  readonly name?: string;
  readonly json?: boolean;
}

interface ClassifierFlags {
  readonly pictures: string;
  readonly out: string;
  readonly features?: string;
  readonly name?: string;
  readonly holdOut: number;
  readonly seed: number;
  readonly device: DeviceSettings;
  readonly json?: boolean;
}

const NAMES = Object.keys(ALPHABETS) as AlphabetName[];
const MISTAKES_SHOWN = 5;

export function specializeCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  const specialize = program
    .command('specialize')
    .description('Make a narrower model of a broad one. Both keep a common trunk, which hosts load and run once.')
    .addHelpText(
      'after',
      '\nExample:\n  ganglion specialize alphabet examples/models/ppocr-rec.yaml --alphabet digits --out score',
    );
  specialize
    .command('alphabet')
    .argument('<model>', 'document of a text recogniser (YAML)')
    .description('Restrict a text recogniser to some characters, by cutting its last layer: exact in what remains.')
    .option('--keep <characters>', 'the characters themselves, such as 0123456789:')
    .option('--alphabet <names>', `one or more of ${NAMES.join(', ')}; separated by commas`, alphabets)
    .requiredOption('--out <folder>', 'where document, graph and keys are written')
    .addOption(nameOption())
    .option('--json', 'print what was written as JSON')
    .addHelpText(
      'after',
      `
Examples:
  ganglion specialize alphabet examples/models/ppocr-rec.yaml --alphabet digits --out score
  ganglion specialize alphabet examples/models/ppocr-rec.yaml --keep "0123456789:." --name clock --out clock`,
    )
    .action(async (file: string, flags: AlphabetFlags) => {
      await makeReader(file, flags, io);
      end(EXIT.ok);
    });
  specialize
    .command('classifier')
    .argument('<backbone>', 'document of a model that takes pictures (YAML)')
    .description(
      "Fit a classifier on labelled pictures, on a model's features. Takes seconds: the trunk isn't trained.",
    )
    .requiredOption('--pictures <folder>', 'a folder of each label, its pictures inside')
    .requiredOption('--out <folder>', 'where document and graph are written')
    .option('--features <tensor>', 'of the graph; default: what its last MatMul or Gemm reads')
    .addOption(nameOption())
    .option(
      '--hold-out <share>',
      "of each label's pictures, to measure the accuracy on",
      numberOption({ min: 0.05, max: 0.9 }),
      0.2,
    )
    .option('--seed <number>', 'of the draw of what is held out', numberOption({ min: 0, integer: true }), 1)
    .option('--device <settings>', 'cpu, cuda, …, or JSON', deviceSettings, deviceSettings('cpu'))
    .option('--json', 'print accuracy, mistakes and what was written as JSON')
    .addHelpText(
      'after',
      `
Example, with pictures in kits/home/*.jpg, kits/away/*.jpg and kits/referee/*.jpg:
  ganglion specialize classifier backbone.yaml --pictures kits --name kit --out kit`,
    )
    .action(async (file: string, flags: ClassifierFlags) => {
      await makeClassifier(file, flags, io);
      end(EXIT.ok);
    });
}

const nameOption = (): Option =>
  new Option('--name <name>', 'of the new model; default: the old name with what it is for').argParser(text => {
    if (isToken(text)) return text;
    throw new InvalidArgumentError('Use A-Z a-z 0-9 _ - (at most 64).');
  });

function alphabets(text: string): AlphabetName[] {
  return text.split(',').map(name => {
    const known = NAMES.find(one => one === name.trim());
    if (known) return known;
    throw new InvalidArgumentError(`There is no alphabet "${name}": ${didYouMean(name, NAMES, 'alphabets')}`);
  });
}

async function makeReader(file: string, flags: AlphabetFlags, io: Io): Promise<void> {
  const { keep = '', alphabet = [] } = flags;
  if (keep in ALPHABETS)
    throw new ConfigError(`"${keep}" names an alphabet; --keep takes the characters themselves`, {
      field: '--keep',
      remedy: `use --alphabet ${keep}`,
    });
  const wanted = keep + alphabet.map(name => ALPHABETS[name]).join('');
  if (wanted === '') throw new ConfigError('say which characters stay', { remedy: 'with --keep or --alphabet' });
  const files = await modelOfFile(file);
  const name = flags.name ?? `${files.document.name}-${alphabet.length > 0 ? alphabet.join('-') : 'cut'}`;
  const made = await restrictReader(files, { wanted, name });
  const written = await writeModelFolder(flags.out, made);
  const { classes, classesBefore, characters, bytesBefore } = made;
  const bytes = made.graph.byteLength;
  if (flags.json) {
    printJson(io, { name, characters, classes, classesBefore, bytes, bytesBefore, written });
    return;
  }
  const { bold, dim } = io.style;
  io.out(`${bold(name)} reads ${JSON.stringify(characters)}\n`);
  io.out(`${classes} classes of ${classesBefore}, ${formatBytes(bytes)} of ${formatBytes(bytesBefore)}\n`);
  io.out(dim(`${written.join(', ')} written\n`));
}

async function makeClassifier(file: string, flags: ClassifierFlags, io: Io): Promise<void> {
  const files = await modelOfFile(file);
  const pictures = await labelledFiles(flags.pictures);
  const name = flags.name ?? `${files.document.name}-classifier`;
  const log = prettyLog({
    actor: 'device',
    write: (line: string) => io.err(line),
    unixMs: () => realClock.unixMs(),
    color: io.color,
    level: 'warn',
  });
  const device = await openDevice(flags.device, { clock: realClock, random: systemRandom, log });
  const progress = progressLine(io);
  try {
    const made = await fitClassifier(files, pictures, {
      ...flags,
      name,
      device,
      features: flags.features,
      onProgress: (done, all) => progress.update(done / all, `features of ${done} of ${all} pictures`),
    });
    progress.end();
    const written = await writeModelFolder(flags.out, made);
    if (flags.json) printJson(io, classifierJson(made, written));
    else printClassifier(made, written, io);
  } finally {
    progress.end();
    await device.close();
  }
}

const named = ({ labels, heldOut }: FittedClassifier) =>
  heldOut.mistakes.map(({ truth, told, count }) => ({ label: labels[truth]!.label, told: labels[told]!.label, count }));

function classifierJson(made: FittedClassifier, written: readonly string[]): object {
  const { document, features, labels, heldOut, ridge, leaveOneOutAccuracy, warnings } = made;
  return {
    name: document.name,
    features,
    labels,
    heldOut: { ...heldOut, mistakes: named(made) },
    ridge,
    leaveOneOutAccuracy,
    warnings,
    written,
  };
}

function printClassifier(made: FittedClassifier, written: readonly string[], io: Io): void {
  const { document, features, labels, heldOut, ridge, leaveOneOutAccuracy, warnings } = made;
  const { bold, dim, yellow } = io.style;
  const [low, high] = heldOut.interval;
  const all = labels.reduce((sum, { pictures }) => sum + pictures, 0);
  const lines = [
    `${bold(document.name)}: ${labels.length} labels, ${all} pictures, ${features.count} features (${features.tensor})`,
    `held out: ${bold(formatPercent(heldOut.accuracy))} right, ${heldOut.right} of ${heldOut.examples} pictures ` +
      `(95 % interval ${formatPercent(low)} to ${formatPercent(high)}; the most frequent label alone: ${formatPercent(heldOut.chance)})`,
  ];
  const mistakes = named(made).slice(0, MISTAKES_SHOWN);
  if (mistakes.length > 0) {
    const columns = [{ title: 'LABEL' }, { title: 'TAKEN FOR' }, { title: 'TIMES', align: 'right' as const }];
    const rows = mistakes.map(({ label, told, count }) => [label, told, String(count)]);
    lines.push(...table(columns, rows, { width: io.width, paintTitle: dim }));
  }
  lines.push(
    `written: fitted on all ${all} pictures with a ridge of ${ridge}; each left out in turn: ${formatPercent(leaveOneOutAccuracy)} right`,
    dim(written.join(', ')),
  );
  io.out(`${lines.join('\n')}\n`);
  for (const warning of warnings) io.err(`${yellow('warning:')} ${warning}\n`);
}
