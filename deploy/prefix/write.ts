import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, describeError } from '../../contracts/index.ts';
import { splitAt, writeModel } from '../../gpu-host/graph/index.ts';
import type { NamedModel } from './read.ts';
import { shortHash } from './report.ts';
import type { StudiedGroup, Study } from './study.ts';

/**
 * Writes the parts of each group at its cut: `prefix-<cut>.onnx`, `<model>-<cut>.onnx` for each member, and `parts.json`, which says how they fit
 * together. Groups inside groups are written where a cut of theirs was asked for.
 * @returns the paths
 * @throws ConfigError when nothing is shared or the folder can't be written
 */
export async function writeParts(folder: string, { groups }: Study, models: readonly NamedModel[]): Promise<string[]> {
  const asked = groups.flatMap(withAskedCut);
  const chosen = asked.length > 0 ? asked : groups;
  if (chosen.length === 0)
    throw new ConfigError('there are no parts to write: the models share nothing', { field: '--write' });
  const files = new Map<string, Uint8Array | string>();
  const parts = chosen.map(({ group, cut }) => {
    const prefix = `prefix-${shortHash(cut)}.onnx`;
    const members = group.members.map(member => {
      const split = splitAt(models.find(({ name }) => name === member)!.model, cut);
      const suffix = `${member}-${shortHash(cut)}.onnx`;
      if (!files.has(prefix)) files.set(prefix, writeModel(split.prefix));
      files.set(suffix, writeModel(split.suffix));
      return { model: member, suffix, inputs: Object.fromEntries(split.inputs) };
    });
    return { cut: cut.hash, prefix, tensors: cut.tensors, members };
  });
  files.set('parts.json', `${JSON.stringify(parts, undefined, 2)}\n`);
  try {
    await mkdir(folder, { recursive: true });
    for (const [name, content] of files) await writeFile(join(folder, name), content);
  } catch (error) {
    throw new ConfigError(`can't be written: ${describeError(error)}`, { file: folder }, { cause: error });
  }
  return [...files.keys()].map(name => join(folder, name));
}

/** The outermost groups whose cut was asked for. */
const withAskedCut = (studied: StudiedGroup): StudiedGroup[] =>
  studied.asked ? [studied] : studied.inner.flatMap(withAskedCut);
