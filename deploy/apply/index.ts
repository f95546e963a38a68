export { applyFiles, type AppliedItem, type ApplyResult, type FoundGroup } from './apply.ts';
export { groupSentence } from './group-sentence.ts';
export { deleteDocument, profilesBucket, type DeletableKind } from './delete.ts';
export { configBucket, readBucket, readConfig, type Change, type StoredConfig } from './stored.ts';
