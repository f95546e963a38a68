import { resolve } from 'node:path';
import type { AnyActor } from '../actors/actor/index.ts';
import { ACTOR_NAMES, ConfigError, type Log } from '../contracts/index.ts';
import { isActorPath } from './cluster/specs.ts';
import { didYouMean } from './documents/index.ts';
import { loadDefault } from './load-file.ts';
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

async function loadActorFile(file: string): Promise<AnyActor> {
  const loaded = await loadDefault(file);
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
