import { BUCKETS, bucketName, MODEL_STORE, NotFoundError, RefusedError, type Bus } from '../../contracts/index.ts';
import { didYouMean } from '../documents/index.ts';
import { configBucket, configKey, readConfig } from './stored.ts';

export type DeletableKind = 'Model' | 'Query' | 'Stream';

interface DeleteOptions {
  readonly prefix: string;
  readonly tenant: string;
  /** Also a model that queries still use. */
  readonly force?: boolean;
  /** Also the model's files, unless another model shares them. */
  readonly files?: boolean;
}

/** Removes what was applied. @throws NotFoundError; RefusedError when queries use the model; ConflictError; StorageUnavailableError */
export async function deleteDocument(
  bus: Bus,
  kind: DeletableKind,
  name: string,
  options: DeleteOptions,
): Promise<void> {
  const { prefix, tenant } = options;
  const bucket = await configBucket(bus, prefix);
  const key = configKey({ kind, name, tenant });
  const entry = await bucket.get(key);
  const config = await readConfig(bus, prefix);
  if (!entry?.value) {
    const ofTenant = (one: { tenant?: string }): boolean => one.tenant === tenant;
    const names = {
      Model: config.models.map(model => model.document.name),
      Query: config.queries.filter(ofTenant).map(query => query.name),
      Stream: config.streams.filter(ofTenant).map(stream => stream.name),
    }[kind];
    throw new NotFoundError(`${kind.toLowerCase()} "${name}"`, didYouMean(name, names, kind.toLowerCase()));
  }
  const users = config.queries.filter(query => Object.values(query.stages).some(stage => stage.model === name));
  if (kind === 'Model' && users.length > 0 && !options.force) {
    const list = users.map(query => `${query.tenant}/${query.name}`).join(', ');
    throw new RefusedError(`model "${name}" is used by ${list}; delete those first, or use --force`);
  }
  await bucket.delete(key, entry.revision);
  if (kind === 'Model' && options.files) {
    const gone = config.models.find(model => model.document.name === name);
    const kept = new Set(config.models.filter(model => model !== gone).flatMap(model => Object.values(model.files)));
    const store = await bus.objectStore(bucketName(prefix, MODEL_STORE));
    for (const sha256 of new Set(Object.values(gone?.files ?? {}))) if (!kept.has(sha256)) await store.delete(sha256);
  }
}

export const profilesBucket = (prefix: string): string => bucketName(prefix, BUCKETS.profiles);
