import { encodeJson } from '../../bus/index.ts';
import type { Bus, Subscription } from '../../contracts/index.ts';
import type { EndpointStats } from './stats.ts';

export interface ServiceIdentity {
  readonly name: string;
  readonly id: string;
  readonly version: string;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Unix ms. */
  readonly startedUnixMs: number;
}

const nanoseconds = (ms: number): number => Math.round(ms * 1e6);
/** Subscriptions made without a queue group have none; ADR-32 wants a string. */
const endpointName = (name: string): string => name.replaceAll(/[^A-Za-z0-9_-]/g, '-');

/**
 * Answers NATS's micro-service discovery (ADR-32): `$SRV.PING`, `.INFO`, `.STATS`, each also with `.<name>` and `.<name>.<id>`,
 * so that `nats micro ls|info|stats` lists the actor. Written here rather than taken from the client, whose services report
 * fractional nanoseconds and time async handlers to their first await.
 */
export function answerDiscovery(
  bus: Bus,
  identity: ServiceIdentity,
  endpoints: () => readonly EndpointStats[],
): Subscription[] {
  const { name, id, version, description, metadata } = identity;
  const common = { name, id, version, metadata };
  const answers: Record<string, () => object> = {
    PING: () => ({ type: 'io.nats.micro.v1.ping_response', ...common }),
    INFO: () => ({
      type: 'io.nats.micro.v1.info_response',
      ...common,
      description,
      endpoints: endpoints().map(e => ({
        name: endpointName(e.name),
        subject: e.subject,
        queue_group: e.queue ?? '',
        metadata: {},
      })),
    }),
    STATS: () => ({
      type: 'io.nats.micro.v1.stats_response',
      ...common,
      started: new Date(identity.startedUnixMs).toISOString(),
      endpoints: endpoints().map(e => ({
        name: endpointName(e.name),
        subject: e.subject,
        queue_group: e.queue ?? '',
        num_requests: e.requests,
        num_errors: e.errors,
        last_error: e.lastError,
        processing_time: nanoseconds(e.processingMs),
        average_processing_time: e.requests === 0 ? 0 : nanoseconds(e.processingMs / e.requests),
        data: { malformed: e.malformed, overflow: e.overflow },
      })),
    }),
  };
  return Object.entries(answers).flatMap(([verb, answer]) =>
    [`$SRV.${verb}`, `$SRV.${verb}.${name}`, `$SRV.${verb}.${name}.${id}`].map(subject =>
      bus.subscribe(subject, message => void message.respond(encodeJson(answer()))),
    ),
  );
}
