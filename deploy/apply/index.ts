export { applyFiles, type AppliedItem, type ApplyResult } from './apply.ts';
export { deleteDocument, profilesBucket, type DeletableKind } from './delete.ts';
export { configBucket, configKey, readBucket, readConfig, type Change, type StoredConfig } from './stored.ts';
