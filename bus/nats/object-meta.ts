import { headers, type JetStreamClient } from 'nats';
import { isNotFound } from './errors.ts';

/** What JetStream's object store keeps about an object (ADR-20), as JSON. */
export interface ObjectMeta {
  readonly name: string;
  readonly bucket: string;
  /** Names the chunks. */
  readonly nuid: string;
  readonly size: number;
  readonly chunks: number;
  readonly digest: string;
  readonly mtime: string;
  readonly deleted?: boolean;
  readonly options?: { readonly max_chunk_size?: number };
}

/** Names are UTF-8, as the `nats` command writes them; the client's own store takes Latin-1 and fails beyond it. */
const subjectOf = (bucket: string, name: string): string =>
  `$O.${bucket}.M.${Buffer.from(name).toString('base64').replaceAll('+', '-').replaceAll('/', '_')}`;

/** Undefined when there is none, or it was deleted. */
export async function readMeta(js: JetStreamClient, bucket: string, name: string): Promise<ObjectMeta | undefined> {
  const manager = await js.jetstreamManager();
  try {
    const message = await manager.streams.getMessage(`OBJ_${bucket}`, { last_by_subj: subjectOf(bucket, name) });
    const meta = JSON.parse(Buffer.from(message.data).toString()) as ObjectMeta;
    return meta.deleted ? undefined : meta;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Replaces what was known of the object in one step: from here on readers find the new chunks. */
export async function writeMeta(js: JetStreamClient, meta: ObjectMeta): Promise<void> {
  const rollup = headers();
  rollup.set('Nats-Rollup', 'sub');
  await js.publish(subjectOf(meta.bucket, meta.name), Buffer.from(JSON.stringify(meta)), { headers: rollup });
}
