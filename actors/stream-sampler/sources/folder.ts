import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  describeError,
  InputError,
  PICTURE_BYTES_MAX,
  sniffPicture,
  SourceError,
  type Source,
} from '../../../contracts/index.ts';
import type { PictureSource, SourceSurroundings } from './source.ts';

type FolderSource = Extract<Source, { kind: 'folder' }>;
const PICTURE_NAME = /\.(jpe?g|png|webp)$/i;
/** PNG files may be larger than what is sent: they become JPEG. */
const FILE_BYTES_MAX = 4 * PICTURE_BYTES_MAX;

/**
 * The pictures of a folder, one at each instant, in the order of their names (2 before 10). Read anew at each round of
 * a loop.
 */
export async function openFolder(source: FolderSource, { timers }: SourceSurroundings): Promise<PictureSource> {
  let names = await list(source.path);
  let index = 0;
  let closed = false;
  return {
    pace: 'sampler',
    missed: 0,
    next: async () => {
      if (closed) return undefined;
      if (index >= names.length) {
        if (!source.loop) return undefined;
        names = await list(source.path);
        index = 0;
      }
      const name = names[index++]!;
      const data = await read(join(source.path, name));
      const encoding = sniffPicture(data);
      if (!encoding) throw new InputError(`${name} is no JPEG, PNG or WebP picture`);
      return { picture: { encoding, data }, takenMs: timers.nowMs(), sound: false, name, meta: { file: name } };
    },
    close: async () => {
      closed = true;
    },
  };
}

async function list(path: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (error) {
    throw new SourceError(`the folder ${path} can not be read: ${describeError(error)}`, { cause: error });
  }
  const pictures = names
    .filter(name => PICTURE_NAME.test(name))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  if (pictures.length === 0) throw new SourceError(`the folder ${path} holds no .jpg, .png or .webp file`);
  return pictures;
}

async function read(file: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(file);
    if (size > FILE_BYTES_MAX) throw new InputError(`${file} has ${size} bytes, more than ${FILE_BYTES_MAX}`);
    return await readFile(file);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${file} can not be read: ${describeError(error)}`, { cause: error });
  }
}
