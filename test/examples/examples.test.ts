import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { applyFiles } from '../../deploy/apply/index.ts';
import { actorSpecs } from '../../deploy/cluster/specs.ts';
import { readDocuments } from '../../deploy/documents/index.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples');
const files = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.yaml') && !/^(plans|scenarios|chaos)\//.test(name)) // workloads and scenarios have tests of their own
  .map(name => join(EXAMPLES, name))
  .sort();

test('examples: all documents together are right: each model has its files, each query its models', async t => {
  const { items } = await applyFiles(undefined, files, { prefix: 'ganglion', dryRun: true });
  const told = items.map(({ item }) => item);
  for (const item of ['Model ppocr-det', 'Model face-age', 'Query default/scoreboard', 'Query default/faces'])
    t.true(told.includes(item), item);
});

test('examples: each cluster names actors that exist and files that can be applied with nothing else', async t => {
  const { documents } = await readDocuments(files);
  const clusters = documents.filter(({ document }) => document.kind === 'Cluster');
  t.true(clusters.length > 0);
  for (const { document, file, baseDir } of clusters) {
    if (document.kind !== 'Cluster') continue;
    t.true(actorSpecs(document, { baseDir, file }).length >= document.actors.length, file);
    await t.notThrowsAsync(applyFiles(undefined, [file], { prefix: 'ganglion', dryRun: true }), file);
  }
});

test('examples: every model says where its weights come from and under which licence', async t => {
  const { documents } = await readDocuments(files);
  for (const { document, file } of documents) {
    if (document.kind !== 'Model') continue;
    t.true(document.licence.length > 0 && document.source.length > 0, file);
    t.truthy(document.emulation, `${file}: without a curve no emulated device can run it`);
  }
});

test('examples: the README of the clients names what is there', t => {
  const readme = readFileSync(join(EXAMPLES, 'clients/README.md'), 'utf8');
  for (const path of readdirSync(join(EXAMPLES, 'clients'), { recursive: true, encoding: 'utf8' })) {
    if (/\.(py|mjs)$/.test(path)) t.true(readme.includes(path), path);
  }
});
