import { decodeJson } from '../../bus/index.ts';
import {
  BUCKETS,
  InvalidMessageError,
  MODEL_STORE,
  NotFoundError,
  Profile,
  StoredModel,
  validator,
  type KeyValue,
  type ObjectStore,
} from '../../contracts/index.ts';
import { modelFilesFromStore, type ModelFiles } from '../../gpu-host/index.ts';

const storedModel = validator(StoredModel);
const profile = validator(Profile);

/** Opens buckets and object stores of the cluster: the part of an actor's context that is needed here. */
export interface Storage {
  keyValue(bucket: string): Promise<KeyValue>;
  objectStore(bucket: string): Promise<ObjectStore>;
}

export const profileKey = (model: string, deviceKind: string): string => `${model.replace('@', '.')}.${deviceKind}`;

/**
 * The model with this id, as it was applied.
 * @throws NotFoundError when none is, or another version of it; InvalidMessageError, StorageUnavailableError
 */
export async function readModel(storage: Storage, model: string): Promise<StoredModel> {
  const [name = ''] = model.split('@');
  const where = `${BUCKETS.config}/models.${name}`;
  const remedy = 'apply it again';
  if (!/^[\w-]+@[0-9a-f]+$/.test(model)) throw new NotFoundError(`model ${model}`, 'ids are <name>@<12 hex>');
  const bucket = await storage.keyValue(BUCKETS.config);
  const value = (await bucket.get(`models.${name}`))?.value;
  if (!value) throw new NotFoundError(`model ${model}`, remedy);
  const stored = parse(storedModel, value, where);
  if (stored.id !== model) throw new NotFoundError(`model ${model}`, `the one applied now is ${stored.id}`);
  return stored;
}

/** What was measured of it on this kind of device, if anything was. @throws StorageUnavailableError */
export async function readProfile(storage: Storage, model: string, deviceKind: string): Promise<Profile | undefined> {
  const key = profileKey(model, deviceKind);
  const value = (await (await storage.keyValue(BUCKETS.profiles)).get(key))?.value;
  if (!value) return undefined;
  const found = parse(profile, value, `${BUCKETS.profiles}/${key}`);
  return found.model === model ? found : undefined;
}

export const filesOf = async (storage: Storage, stored: StoredModel): Promise<ModelFiles> =>
  modelFilesFromStore(stored, await storage.objectStore(MODEL_STORE));

function parse<T>(schema: { check(value: unknown, where: string): T }, value: Uint8Array, where: string): T {
  let document: unknown;
  try {
    document = decodeJson(value);
  } catch (error) {
    throw new InvalidMessageError({ where, path: '', detail: 'is not JSON' }, { cause: error });
  }
  return schema.check(document, where);
}
