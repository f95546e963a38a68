import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { parseAllDocuments } from 'yaml';
import { StreamDocument, validator } from '../../contracts/index.ts';

const FOLDER = new URL('../../../examples/streams/', import.meta.url);

test('examples: every stream in examples/streams is a valid document', t => {
  const check = validator(StreamDocument);
  let documents = 0;
  for (const file of readdirSync(FOLDER)) {
    for (const document of parseAllDocuments(readFileSync(new URL(file, FOLDER), 'utf8'))) {
      t.deepEqual(check.problems(document.toJS()), [], file);
      documents++;
    }
  }
  t.true(documents >= 5);
});
