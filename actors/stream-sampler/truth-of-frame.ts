import type { StreamDocument } from '../../contracts/index.ts';
import { frameTimeOf } from './instants.ts';
import { truthOf, type Truth } from './sources/index.ts';

/** What frame `seq` of a synthetic stream shows, from its document alone; undefined for streams of other kinds. */
export const truthOfFrame = (document: Pick<StreamDocument, 'source' | 'rateHz'>, seq: number): Truth | undefined =>
  document.source.kind === 'synthetic' ? truthOf(document.source, frameTimeOf(document, seq)) : undefined;
