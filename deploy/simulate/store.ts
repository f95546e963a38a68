import { createHash } from 'node:crypto';
import { encodeJson } from '../../bus/index.ts';
import {
  bucketName,
  BUCKETS,
  DEFAULT_PREFIX,
  DEFAULT_TENANT,
  MODEL_STORE,
  type Bus,
  type ModelDocument,
  type Profile,
  type QueryDocument,
  type StoredModel,
  type StreamDocument,
} from '../../contracts/index.ts';
import { declaredCut } from '../../gpu-host/index.ts';

/** What a cluster is told; no file behind it. */
export interface Told {
  readonly models?: readonly StoredModel[];
  readonly queries?: readonly QueryDocument[];
  readonly streams?: readonly StreamDocument[];
  readonly profiles?: readonly Profile[];
}

/** A model for emulated devices as the cluster knows it: its file is never read. */
export function storedModel(document: ModelDocument, bytes: number): StoredModel {
  const hash = createHash('sha256').update(JSON.stringify(document)).digest('hex');
  const cut = declaredCut(document);
  return {
    v: 1,
    id: `${document.name}@${hash.slice(0, 12)}`,
    document,
    files: { [document.file]: hash },
    bytes,
    ...(cut ? { cuts: [cut] } : {}),
  };
}

/** As `ganglion apply` and the profiler put it. */
export async function tell(bus: Bus, { models = [], queries = [], streams = [], profiles = [] }: Told): Promise<void> {
  const config = await bus.keyValue(bucketName(DEFAULT_PREFIX, BUCKETS.config));
  const measured = await bus.keyValue(bucketName(DEFAULT_PREFIX, BUCKETS.profiles));
  const files = await bus.objectStore(bucketName(DEFAULT_PREFIX, MODEL_STORE));
  for (const profile of profiles) await measured.put(profileKey(profile), encodeJson(profile));
  for (const stored of models) {
    for (const [name, hash] of Object.entries(stored.files)) await files.put(hash, new TextEncoder().encode(name));
    await config.put(`models.${stored.document.name}`, encodeJson(stored));
  }
  for (const query of queries) await config.put(keyOf('queries', query), encodeJson(query));
  for (const stream of streams) await config.put(keyOf('streams', stream), encodeJson(stream));
}

const profileKey = ({ model, device }: Profile): string => `${model.replace('@', '.')}.${device}`;

const keyOf = (kind: string, { tenant = DEFAULT_TENANT, name }: { tenant?: string; name: string }): string =>
  `${kind}.${tenant}.${name}`;
