/** What actors, models, queries and tools of your own import: `import { actor, subjects, Type } from 'ganglion'`. */
export * from './actors/actor/index.ts';
export * from './contracts/index.ts';
