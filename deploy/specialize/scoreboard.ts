import type { ModelFiles } from '../../gpu-host/index.ts';
import { ALPHABETS } from './alphabet.ts';
import { restrictReader } from './reader.ts';
import { writeModelFolder } from './write.ts';

/** What stands on a scoreboard, and what it is written in. */
const SCOREBOARD_READERS = {
  'read-score': ALPHABETS.digits,
  'read-clock': ALPHABETS.clock,
  'read-names': ALPHABETS.names,
} as const;
export type ScoreboardReader = keyof typeof SCOREBOARD_READERS;

/**
 * Writes the three readers of a scoreboard, which share the trunk of the reader that they are cut from.
 * @param reader a text recogniser such as `examples/models/ppocr-rec.yaml`
 * @returns the document of each
 */
export async function writeScoreboardReaders(
  reader: ModelFiles,
  folder: string,
): Promise<Record<ScoreboardReader, string>> {
  const documents: [string, string][] = [];
  for (const [name, wanted] of Object.entries(SCOREBOARD_READERS)) {
    const written = await writeModelFolder(folder, await restrictReader(reader, { wanted, name }));
    documents.push([name, written[0]!]);
  }
  return Object.fromEntries(documents) as Record<ScoreboardReader, string>;
}
