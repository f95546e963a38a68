export { coalesce } from './coalesce.ts';
export {
  actor,
  type ActorContext,
  type ActorDefinition,
  type ActorInit,
  type AnyActor,
  type Listener,
  type Received,
  type Timer,
} from './definition.ts';
export { publishers } from './publishers.ts';
export { readMessage } from './read-message.ts';
export { startActor, type ActorSurroundings, type Ending, type RunningActor } from './runtime.ts';
export type { EndpointStats } from './stats.ts';
