import { readFile } from 'node:fs/promises';
import { ConfigError, describeError, PICTURE_BYTES_MAX, sniffPicture, type Picture } from '../../contracts/index.ts';
import { toPng } from './annotate.ts';

/**
 * A picture file of the user's; formats that requests don't carry become PNG.
 * @param data its content, where it isn't to be read from disk
 * @throws ConfigError when there is none, it isn't a picture, or it is too large
 */
export async function readPicture(file: string, data?: Uint8Array): Promise<Picture> {
  try {
    const content = data ?? new Uint8Array(await readFile(file));
    if (content.byteLength > PICTURE_BYTES_MAX)
      throw new ConfigError(`has ${content.byteLength} bytes, a picture may have ${PICTURE_BYTES_MAX}`, { file });
    const encoding = sniffPicture(content);
    return encoding ? { encoding, data: content } : { encoding: 'png', data: await toPng(content) };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new ConfigError(
      missing ? 'there is no such file' : `is no picture: ${describeError(error).trim()}`,
      { file },
      { cause: error },
    );
  }
}
