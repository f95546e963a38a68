export { applyFiles, type AppliedItem, type ApplyResult } from './apply.ts';
export { deleteDocument, profilesBucket, type DeletableKind } from './delete.ts';
export { configBucket, readBucket, readConfig, type Change, type StoredConfig } from './stored.ts';
