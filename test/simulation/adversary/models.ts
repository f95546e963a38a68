import { createHash } from 'node:crypto';
import {
  cutOf,
  prefixId,
  suffixId,
  type ModelDocument,
  type Profile,
  type StoredModel,
} from '../../../contracts/index.ts';
import { declaredCut } from '../../../gpu-host/index.ts';
import { modelWith } from '../world.ts';

type Emulation = NonNullable<ModelDocument['emulation']>;

const BATCH_MAX = 8;
const model = (name: string, emulation: Emulation): ModelDocument => modelWith(name, emulation, BATCH_MAX);

export const detector = model('detector', {
  alphaMs: 15,
  betaMs: 25,
  persistentMB: 150,
  ephemeralMBPerItem: 10,
  loadMs: 400,
  boxes: 2,
});
export const reader = model('reader', {
  alphaMs: 4,
  betaMs: 8,
  persistentMB: 100,
  ephemeralMBPerItem: 10,
  loadMs: 300,
});
export const tagger = model('tagger', {
  alphaMs: 15,
  betaMs: 20,
  persistentMB: 200,
  ephemeralMBPerItem: 10,
  loadMs: 800,
});

/** Of one trunk: 3b + 10 of 3.2b + 10.5 ms are the prefix's. */
const trunk = { name: 'trunk', alphaMs: 3, betaMs: 10, persistentMB: 55 };
const badge = { alphaMs: 3.2, betaMs: 10.5, persistentMB: 60, ephemeralMBPerItem: 4, loadMs: 200, prefix: trunk };
export const BADGES: readonly ModelDocument[] = ['badge-1', 'badge-2', 'badge-3'].map(name => model(name, badge));

/** There is no graph: name and version stand for it. */
export function storedOf(document: ModelDocument): { stored: StoredModel; content: Uint8Array; hash: string } {
  const { name, version, file } = document;
  const content = new TextEncoder().encode(`${name} ${version}`);
  const hash = createHash('sha256').update(content).digest('hex');
  const cut = declaredCut(document);
  const facts = { id: `${name}@${hash.slice(0, 12)}`, document, files: { [file]: hash }, bytes: content.length };
  return { stored: { v: 1, ...facts, ...(cut ? { cuts: [cut] } : {}) }, content, hash };
}

/** What measuring would find, of the model and of its parts. */
export function profilesOf(document: ModelDocument): Profile[] {
  const { stored } = storedOf(document);
  const { alphaMs, betaMs, persistentMB, prefix } = document.emulation!;
  const whole = profile(document, stored.id, { alphaMs, betaMs, persistentMB });
  if (!prefix) return [whole];
  const { cut } = declaredCut(document)!;
  const rest = {
    alphaMs: alphaMs - prefix.alphaMs,
    betaMs: betaMs - prefix.betaMs,
    persistentMB: persistentMB - prefix.persistentMB,
  };
  return [whole, profile(document, prefixId(cut), prefix), profile(document, suffixId(stored.id, cut), rest)];
}

function profile(
  document: ModelDocument,
  part: string,
  { alphaMs, betaMs, persistentMB }: Pick<Emulation, 'alphaMs' | 'betaMs' | 'persistentMB'>,
): Profile {
  const { ephemeralMBPerItem, loadMs: wholeMs = 0, persistentMB: wholeMB } = document.emulation!;
  const points = [1, 2, 4, BATCH_MAX].map(batch => {
    const meanMs = alphaMs * batch + betaMs;
    return { batch, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes: ephemeralMBPerItem * batch * 1e6, repeats: 3 };
  });
  const loadMs = cutOf(part) === undefined ? wholeMs : (wholeMs * persistentMB) / wholeMB;
  const facts = { model: part, device: 'emulated', emulated: true, loadMs, preMs: 0, postMs: 0 };
  return { v: 1, ...facts, points, persistentBytes: persistentMB * 1e6 };
}
