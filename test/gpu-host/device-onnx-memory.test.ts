import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { cutsOf, readModel } from '../../gpu-host/graph/index.ts';
import type { ModelFiles } from '../../gpu-host/index.ts';
import { until } from '../end-to-end/until.ts';
import { manifest, onDisk, openCpu } from './model-setup.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** A model's files, and a look at the graph's. */
async function watched(): Promise<{ files: ModelFiles; graph: WeakRef<Uint8Array> }> {
  const { id, document, read } = await onDisk(manifest('ppocr-direction'));
  const graph = Uint8Array.from(await read(document.file));
  const files = { id, document, read: async (name: string) => (name === document.file ? graph : read(name)) };
  return { files, graph: new WeakRef(graph) };
}

test('onnx device: what was loaded keeps no file of the model in memory (whole, prefix, suffix)', async t => {
  const device = await openCpu();
  t.teardown(() => device.close());
  const loads = await (async () => {
    const given = [await watched(), await watched(), await watched()];
    const [whole, trunk, head] = given.map(({ files }) => files) as [ModelFiles, ModelFiles, ModelFiles];
    const { cuts } = cutsOf(readModel(await trunk.read(trunk.document.file)));
    const cut = cuts.at(cuts.length >> 1)!.hash.slice(0, 12);
    const loaded = await device.load(whole, { batchMax: 2 });
    const prefix = await device.loadPrefix(trunk, { cut, batchMax: 2 });
    const suffix = await prefix.loadSuffix(head, { batchMax: 2 });
    return { parts: [loaded, prefix, suffix], graphs: given.map(({ graph }) => graph) };
  })();
  const areHeld = (): boolean[] => loads.graphs.map(graph => graph.deref() !== undefined);
  const areGone = (): boolean => {
    collect();
    return !areHeld().includes(true);
  };
  await until('the files are collected', areGone, { limitMs: 10_000, state: areHeld });
  for (const part of loads.parts) await t.notThrowsAsync(async () => part.run([await part.blank()]));
});
