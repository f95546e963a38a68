import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test from 'ava';
import { stringify } from 'yaml';
import { VirtualClock } from '../../bus/index.ts';
import { readModels } from '../../deploy/prefix/index.ts';
import { signatureOf } from '../../gpu-host/graph/index.ts';
import { modelFilesFromDisk, packModel, withCuts } from '../../gpu-host/index.ts';
import { openSurgery } from '../../gpu-host/onnx/surgery.ts';
import { manifest, MODELS } from '../gpu-host/model-setup.ts';

for (const [situation, name, change] of [
  ['its batch varies', 'read-score', {}],
  ['made for a batch of 1, and freed', 'face-age', { batchMax: 4 }],
  ['made for a batch of 1, and left so', 'face-age', { batchMax: 1 }],
] as const)
  test(`prefix: people, planners and hosts see one graph of a model (${situation})`, async t => {
    const folder = await mkdtemp(join(tmpdir(), 'ganglion-'));
    await cp(MODELS, folder, { recursive: true });
    await symlink(resolve('node_modules'), join(folder, 'node_modules'));
    t.teardown(() => rm(folder, { recursive: true }));
    const document = { ...manifest(name), ...change };
    const { stored, contents } = await packModel(document, MODELS);
    const told = withCuts(stored, contents.get(stored.files[document.file]!)!).cuts ?? [];
    const cuts = told.filter(({ emulated }) => !emulated);
    t.true(cuts.length > 10);

    const file = join(folder, 'changed.yaml');
    await writeFile(file, stringify(document));
    const [studied] = await readModels([file], {});
    const seen = signatureOf('model', studied!.model).cuts.filter(({ insideFusion }) => !insideFusion);
    t.deepEqual(
      seen.map(({ hash }) => hash.slice(0, 12)),
      cuts.map(({ cut }) => cut),
    );

    const surgery = openSurgery(new VirtualClock());
    t.teardown(() => surgery.close());
    const files = await modelFilesFromDisk(document, MODELS);
    for (const { cut, tensors } of cuts.filter((_, i) => i % 40 === 3))
      t.is((await surgery.prefix(files, { cut })).tensors.length, tensors!.length);
  });
