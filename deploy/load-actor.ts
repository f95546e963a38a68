import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import { existsSync } from 'node:fs';
import type { AnyActor } from '../actors/actor/index.ts';
import { ACTOR_NAMES, ConfigError, describeError, type Log } from '../contracts/index.ts';
import { isActorPath } from './cluster/specs.ts';
import { didYouMean } from './documents/index.ts';
import { ourActor } from './registry.ts';

/** One of ours by name, or the default export of a file. @throws ConfigError saying what is wrong with it */
export async function loadActor(actor: string, log: Log): Promise<AnyActor> {
  const ours = ACTOR_NAMES.find(name => name === actor);
  if (ours) return ourActor(ours, log);
  if (isActorPath(actor)) return loadActorFile(resolve(actor));
  throw new ConfigError(`there is no actor "${actor}"`, {
    remedy: `${didYouMean(actor, ACTOR_NAMES, 'actors')} Your own is named by the path of its file, e.g. ./my-actor.ts`,
  });
}

/** TypeScript or JavaScript; `import … from 'ganglion'` is this very package, wherever the file stands. */
async function loadActorFile(file: string): Promise<AnyActor> {
  if (!existsSync(file)) throw new ConfigError('there is no such file', { file });
  const [{ createJiti }, ganglion] = await Promise.all([import('jiti'), import('../index.ts')]);
  const jiti = createJiti(pathToFileURL(file).href, {
    virtualModules: { ganglion },
    fsCache: false,
    interopDefault: true,
  });
  let loaded: unknown;
  try {
    loaded = await jiti.import(file, { default: true });
  } catch (error) {
    throw new ConfigError(`can't be loaded: ${describeError(error)}`, { file }, { cause: error });
  }
  if (!isActor(loaded)) {
    throw new ConfigError('has no actor as its default export', {
      file,
      remedy: "write: import { actor, Type } from 'ganglion'; export default actor({ name: …, version: …, … })",
    });
  }
  return loaded;
}

function isActor(value: unknown): value is AnyActor {
  const candidate = value as Partial<AnyActor> | null | undefined;
  return (
    typeof candidate === 'object' &&
    typeof candidate?.name === 'string' &&
    typeof candidate.state === 'function' &&
    typeof candidate.config === 'object'
  );
}
