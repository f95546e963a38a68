/** Counts of one endpoint (a subscription) of an actor. */
export interface EndpointStats {
  readonly name: string;
  readonly subject: string;
  readonly queue: string | undefined;
  requests: number;
  errors: number;
  lastError: string;
  /** Time in handlers, an async one until its promise settled. */
  processingMs: number;
  malformed: number;
  overflow: number;
}

export const endpointStats = (name: string, subject: string, queue: string | undefined): EndpointStats => ({
  name,
  subject,
  queue,
  requests: 0,
  errors: 0,
  lastError: '',
  processingMs: 0,
  malformed: 0,
  overflow: 0,
});
