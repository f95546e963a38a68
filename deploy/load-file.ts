import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { ConfigError, describeError } from '../contracts/index.ts';

/**
 * The default export of a user's file, TypeScript or JavaScript; `import … from 'ganglion'` is this very package, wherever the file
 * stands. @throws ConfigError
 */
export async function loadDefault(file: string): Promise<unknown> {
  if (!existsSync(file)) throw new ConfigError('there is no such file', { file });
  const [{ createJiti }, ganglion] = await Promise.all([import('jiti'), import('../index.ts')]);
  const jiti = createJiti(pathToFileURL(file).href, {
    virtualModules: { ganglion },
    fsCache: false,
    interopDefault: true,
  });
  try {
    return await jiti.import(file, { default: true });
  } catch (error) {
    throw new ConfigError(`can't be loaded: ${describeError(error)}`, { file }, { cause: error });
  }
}
