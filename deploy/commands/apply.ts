import type { Command } from 'commander';
import { DisconnectedError } from '../../contracts/index.ts';
import {
  applyFiles,
  deleteDocument,
  groupSentence,
  type ApplyResult,
  type Change,
  type DeletableKind,
} from '../apply/index.ts';
import { natsUrl, openBus } from '../connection.ts';
import { didYouMean } from '../documents/index.ts';
import { formatBytes, type Io } from '../terminal/index.ts';
import { busName, EXIT, printJson, withBus, withClusterFlags, type ClusterFlags, type ExitCode } from './program.ts';
import { ConfigError } from '../../contracts/index.ts';

export function applyCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  withClusterFlags(program.command('apply'))
    .description('Put models, queries and streams into a cluster. Nothing is written unless all files are right.')
    .requiredOption('-f, --file <file...>', 'YAML files or folders; - for standard input; of a Cluster its apply list')
    .option('--dry-run', 'check, say what would change, change nothing; works without a cluster too')
    .option('--json', 'print { items: [{ item, change, id?, note? }], groups, warnings: [text], dryRun }')
    .addHelpText('after', '\nExample:\n  ganglion apply -f models.yaml scoreboard.yaml --dry-run')
    .action(async (flags: ClusterFlags & { file: string[]; dryRun?: boolean }) => {
      const options = { prefix: flags.prefix, tenant: flags.tenant, dryRun: flags.dryRun ?? false };
      const result = flags.dryRun
        ? await dryRun(io, flags)
        : await withBus(io, flags, 'apply', bus =>
            applyFiles(bus, flags.file, {
              ...options,
              onUpload: (name, bytes) =>
                io.err(io.style.dim(`uploading ${name.slice(0, 12)}… (${formatBytes(bytes)})\n`)),
            }),
          );
      if (flags.json) printJson(io, { ...result, dryRun: options.dryRun });
      else printItems(io, result, options.dryRun);
      end(EXIT.ok);
    });
}

/** Compares with the cluster when there is one. */
async function dryRun(io: Io, flags: ClusterFlags & { file: string[] }): Promise<ApplyResult> {
  const options = { prefix: flags.prefix, tenant: flags.tenant, dryRun: true };
  let bus;
  try {
    bus = await openBus({ url: natsUrl(flags.nats, io.env), name: busName('apply') });
  } catch (error) {
    if (!(error instanceof DisconnectedError)) throw error;
    io.err(io.style.yellow('no cluster to compare with: only the files are checked\n'));
    return applyFiles(undefined, flags.file, options);
  }
  try {
    return await applyFiles(bus, flags.file, options);
  } finally {
    await bus.close();
  }
}

function printItems(io: Io, { items, groups, warnings }: ApplyResult, dry: boolean): void {
  for (const warning of warnings) io.err(`${io.style.yellow(warning)}\n`);
  const paint: Record<Change, (text: string) => string> = {
    created: io.style.green,
    changed: io.style.yellow,
    unchanged: io.style.dim,
  };
  for (const { item, change, id, note } of items) {
    const word = dry && change !== 'unchanged' ? `would be ${change}` : change;
    const more = [id, note].filter(text => text !== undefined).join(', ');
    io.out(`${item} ${paint[change](word)}${more === '' ? '' : io.style.dim(` ${more}`)}\n`);
  }
  for (const group of groups) io.out(`${groupSentence(group)}\n`);
  if (items.length === 0) io.out('nothing to apply\n');
}

const KINDS: Record<string, DeletableKind> = { model: 'Model', query: 'Query', stream: 'Stream' };

export function deleteCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  withClusterFlags(program.command('delete'))
    .argument('<kind>', Object.keys(KINDS).join(', '))
    .argument('<name>')
    .description('Remove a model, query or stream from a cluster.')
    .option('--force', 'also a model that queries still use')
    .option('--files', "also the model's files in the object store, unless another model shares them")
    .option('--json', 'print { deleted: { kind, name, tenant? } }')
    .addHelpText('after', '\nExample:\n  ganglion delete query scoreboard')
    .action(async (word: string, name: string, flags: ClusterFlags & { force?: boolean; files?: boolean }) => {
      const kind = KINDS[word.toLowerCase().replace(/ies$/, 'y').replace(/s$/, '')];
      if (!kind)
        throw new ConfigError(`there is no kind "${word}"`, { remedy: didYouMean(word, Object.keys(KINDS), 'kinds') });
      await withBus(io, flags, 'delete', bus =>
        deleteDocument(bus, kind, name, {
          prefix: flags.prefix,
          tenant: flags.tenant,
          force: flags.force ?? false,
          files: flags.files ?? false,
        }),
      );
      const scope = kind === 'Model' ? {} : { tenant: flags.tenant };
      if (flags.json) printJson(io, { deleted: { kind, name, ...scope } });
      else io.out(`${kind} ${kind === 'Model' ? '' : `${flags.tenant}/`}${name} ${io.style.red('deleted')}\n`);
      end(EXIT.ok);
    });
}
