import { basename, extname, isAbsolute, resolve } from 'node:path';
import { ACTOR_NAMES, ConfigError, type ClusterDocument } from '../../contracts/index.ts';
import { didYouMean } from '../documents/index.ts';

/** One process to run. */
export interface ActorSpec {
  /** Name of the instance, unique in the cluster. */
  readonly name: string;
  /** One of ours, or the absolute path of a file. */
  readonly actor: string;
  readonly config: Readonly<Record<string, unknown>>;
}

const isOurs = (actor: string): boolean => (ACTOR_NAMES as readonly string[]).includes(actor);
export const isActorPath = (actor: string): boolean => /[\\/]|\.[cm]?[jt]s$/.test(actor);

/** What an instance is called when nobody named it: the actor, or the file without its ending. */
export const plainName = (actor: string): string =>
  isActorPath(actor)
    ? basename(actor, extname(actor))
        .replaceAll(/[^A-Za-z0-9_-]+/g, '-')
        .slice(0, 48)
    : actor;

/**
 * The processes that a cluster asks for: `count` instances are `<name>-1` …; without a name they are numbered per actor.
 * @throws ConfigError for unknown actors and names given twice
 */
export function actorSpecs(document: ClusterDocument, options: { baseDir: string; file?: string }): ActorSpec[] {
  const { baseDir, file } = options;
  const numbers = new Map<string, number>();
  const specs: ActorSpec[] = [];
  document.actors.forEach((entry, i) => {
    if (!isOurs(entry.actor) && !isActorPath(entry.actor)) {
      throw new ConfigError(`there is no actor "${entry.actor}"`, {
        file,
        field: `actors[${i}].actor`,
        remedy: `${didYouMean(entry.actor, ACTOR_NAMES, 'actors')} Your own is named by the path of its file, e.g. ./my-actor.ts`,
      });
    }
    const actor = isOurs(entry.actor) || isAbsolute(entry.actor) ? entry.actor : resolve(baseDir, entry.actor);
    const count = entry.count ?? 1;
    for (let n = 1; n <= count; n++) {
      const name =
        entry.name === undefined
          ? numbered(plainName(actor), numbers)
          : count === 1
            ? entry.name
            : `${entry.name}-${n}`;
      if (specs.some(spec => spec.name === name)) {
        throw new ConfigError(`"${name}" is taken already`, {
          file,
          field: `actors[${i}].name`,
          remedy: 'names are unique in a cluster',
        });
      }
      specs.push({ name, actor, config: { ...entry.config } });
    }
  });
  return specs;
}

function numbered(base: string, numbers: Map<string, number>): string {
  const n = (numbers.get(base) ?? 0) + 1;
  numbers.set(base, n);
  return `${base}-${n}`;
}

/** Actors are stopped in this order, those of one step at once: no new plans and frames, then what is under way, then who listens. */
const STOP_STEPS = [['allocator', 'stream-sampler'], ['query-router'], ['prefix-batcher', 'gpu-host']] as const;

/** The step in which an actor is stopped; the user's own come last, so that they still hear the last results. */
export function stopStep(actor: string): number {
  const step = STOP_STEPS.findIndex(actors => (actors as readonly string[]).includes(actor));
  return step < 0 ? STOP_STEPS.length : step;
}
export const STOP_STEPS_COUNT = STOP_STEPS.length + 1;
