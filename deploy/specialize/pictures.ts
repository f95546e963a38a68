import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, describeError } from '../../contracts/index.ts';

/** A folder of labelled pictures: a folder of each label, the pictures in it. */
export interface LabelledFiles {
  /** Names of the folders, sorted: the classes. */
  readonly labels: readonly string[];
  readonly files: readonly { readonly path: string; readonly label: number }[];
  /** What in the folders is no picture by its name and was left out. */
  readonly ignored: readonly string[];
}

/** Formats that sharp reads without being told more. */
const PICTURE = /\.(jpe?g|png|webp|gif|tiff?|avif|bmp)$/i;
const FILES_MAX = 50_000;
const LABELS_MAX = 1000;
const LAYOUT = 'lay it out as <folder>/<label>/<picture>.jpg';
const DIGITS_COMPARED = { numeric: true } as const;

/**
 * Lists a folder of labelled pictures; their order depends on the names alone.
 * @throws ConfigError: no such folder, pictures outside the labels' folders, fewer than two labels, a label without pictures
 */
export async function labelledFiles(folder: string): Promise<LabelledFiles> {
  const entries = await list(folder);
  const labels = entries.filter(entry => entry.isDirectory()).map(({ name }) => name);
  const ignored: string[] = [];
  for (const entry of entries) if (!entry.isDirectory()) ignored.push(join(folder, entry.name));
  if (labels.length === 0) {
    const loose = ignored.filter(name => PICTURE.test(name)).length;
    const detail = loose > 0 ? `${loose} pictures have no label: they lie in no folder of one` : 'holds no folders';
    throw new ConfigError(detail, { file: folder, remedy: LAYOUT });
  }
  if (labels.length === 1)
    throw new ConfigError(`holds one label alone (${labels[0]}): there is nothing to tell apart`, {
      file: folder,
      remedy: 'add a folder with pictures that are something else',
    });
  if (labels.length > LABELS_MAX)
    throw new ConfigError(`holds ${labels.length} labels, at most ${LABELS_MAX} are fitted`, { file: folder });
  const files: { path: string; label: number }[] = [];
  for (const [label, name] of labels.entries()) {
    const inside = await list(join(folder, name));
    const pictures = inside.filter(entry => !entry.isDirectory() && PICTURE.test(entry.name));
    if (pictures.length === 0) throw new ConfigError('holds no pictures', { file: join(folder, name), remedy: LAYOUT });
    for (const entry of pictures) files.push({ path: join(folder, name, entry.name), label });
    for (const entry of inside) if (!pictures.includes(entry)) ignored.push(join(folder, name, entry.name));
  }
  if (files.length > FILES_MAX)
    throw new ConfigError(`holds ${files.length} pictures, at most ${FILES_MAX} are fitted`, { file: folder });
  return { labels, files, ignored };
}

/** Sorted as people count; hidden files are left out. */
async function list(folder: string) {
  try {
    if (!(await stat(folder)).isDirectory()) throw new ConfigError('is no folder', { file: folder, remedy: LAYOUT });
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter(({ name }) => !name.startsWith('.'))
      .sort((a, b) => a.name.localeCompare(b.name, 'en', DIGITS_COMPARED));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const detail = missing ? 'there is no such folder' : `can't be read: ${describeError(error)}`;
    throw new ConfigError(detail, { file: folder, remedy: LAYOUT }, { cause: error });
  }
}
