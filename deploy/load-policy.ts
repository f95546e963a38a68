import { resolve } from 'node:path';
import type { OwnDispatch } from '../actors/prefix-batcher/index.ts';
import type { OwnPacking } from '../allocator/index.ts';
import { ConfigError } from '../contracts/index.ts';
import { loadDefault } from './load-file.ts';

export type OwnPolicy = OwnDispatch | OwnPacking;

const MAKERS = { dispatch: 'dispatchPolicy', packing: 'packingPolicy' };

/** A policy of a user's. @throws ConfigError saying what is wrong with the file */
export async function loadPolicy(path: string): Promise<OwnPolicy> {
  const file = resolve(path);
  const loaded = await loadDefault(file);
  if (isPolicy(loaded)) return loaded;
  throw new ConfigError('has no policy as its default export', {
    file,
    remedy:
      "write: import { dispatchPolicy } from 'ganglion'; export default dispatchPolicy('mine', () => ({ decide: … })); " +
      "or packingPolicy('mine', workload => …)",
  });
}

export const loadDispatch = (path: string): Promise<OwnDispatch> => loadKind(path, 'dispatch');
export const loadPacking = (path: string): Promise<OwnPacking> => loadKind(path, 'packing');

async function loadKind<K extends OwnPolicy['kind']>(path: string, kind: K): Promise<Extract<OwnPolicy, { kind: K }>> {
  const policy = await loadPolicy(path);
  const { name, kind: found } = policy;
  if (found !== kind) {
    throw new ConfigError(`"${name}" is a ${found} policy, a ${kind} policy is wanted`, {
      file: resolve(path),
      remedy: `make it with ${MAKERS[kind]}`,
    });
  }
  return policy as Extract<OwnPolicy, { kind: K }>;
}

function isPolicy(value: unknown): value is OwnPolicy {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, name, create, pack } = value as Readonly<Record<string, unknown>>;
  const makes = kind === 'dispatch' ? create : kind === 'packing' ? pack : undefined;
  return typeof name === 'string' && typeof makes === 'function';
}
