import { readFile } from 'node:fs/promises';
import test from 'ava';
import { subjects, type Subject } from '../../contracts/index.ts';
import { generatedFiles } from '../../deploy/generate/index.ts';

const ROOT = new URL('../../../', import.meta.url);
const read = (path: string): Promise<string> => readFile(new URL(path, ROOT), 'utf8');

test('generated: the files in the repository are what the contracts say now (npm run generate)', async t => {
  const { version } = JSON.parse(await read('package.json')) as { version: string };
  for (const [path, content] of await generatedFiles(version))
    t.is(await read(path), content, `${path} is out of date`);
});

for (const [name, subject] of Object.entries(subjects) as [string, Subject][]) {
  test(`generated: the example of ${name} fits its schema`, t => {
    t.deepEqual(subject.message.problems(subject.example), []);
    if (subject.reply) t.deepEqual(subject.reply.problems(subject.replyExample), []);
  });
}

interface Api {
  channels: Record<string, { address: string | null; messages: Record<string, { $ref: string }> }>;
  operations: Record<string, { channel: { $ref: string }; messages: { $ref: string }[] }>;
  components: { messages: Record<string, unknown> };
}

test('generated: every reference inside asyncapi.json leads somewhere', async t => {
  const api = JSON.parse(await read('docs/asyncapi.json')) as Api;
  const refs = [...JSON.stringify(api).matchAll(/"\$ref":"#([^"]+)"/g)].map(match => match[1]!);
  t.true(refs.length > 50);
  for (const ref of refs) {
    const target = ref
      .split('/')
      .slice(1)
      .reduce<unknown>((at, step) => (at as Record<string, unknown>)?.[step], api);
    t.not(target, undefined, ref);
  }
});

test('generated: schemas for editors know every kind of document', async t => {
  const any = JSON.parse(await read('schemas/any.schema.json')) as {
    anyOf: { properties: { kind: { const: string } } }[];
  };
  t.deepEqual(any.anyOf.map(one => one.properties.kind.const).sort(), ['Cluster', 'Model', 'Query', 'Stream']);
});
