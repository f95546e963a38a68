import test from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { ModelDocument, QueryDocument, validator } from '../../contracts/index.ts';
import { compileQuery } from '../../actors/query-router/query.ts';

const folder = new URL('../../../examples/', import.meta.url);
const read = (path: string): unknown => parse(readFileSync(new URL(path, folder), 'utf8'));

for (const file of readdirSync(new URL('queries/', folder)))
  test(`examples: queries/${file} fits, and its models are there`, t => {
    const document = validator(QueryDocument).check(read(`queries/${file}`), file);
    t.notThrows(() => compileQuery('default', document.name, document));
    for (const { model } of Object.values(document.stages))
      t.is(validator(ModelDocument).check(read(`models/${model}.yaml`), model).name, model);
  });
