import test from 'ava';
import {
  commonPrefixes,
  cutsOf,
  signatureOf,
  splitAt,
  writeModel,
  type PrefixGroup,
} from '../../gpu-host/graph/index.ts';
import { branching, floats, modelOf, node, residual, type Network, weights } from './networks.ts';
import { difference, runModel, runParts, wave } from './onnx-run.ts';

const FEEDS = { x: wave([3, 2, 8, 8]) };

/** A network in which the last layers differ from the `from`th node on. */
function withTail(network: Network, keep: number, tail: Network['nodes'], more: Network['weights'] = []): Network {
  return {
    ...network,
    nodes: [...network.nodes.slice(0, keep), ...tail],
    weights: [...(network.weights ?? []), ...more],
  };
}

test('prefixes: one trunk with three heads is a group, cut where they part', async t => {
  const models = [modelOf(residual(1, 3)), modelOf(residual(2, 5)), modelOf(residual(3, 2))];
  const signatures = models.map((model, i) => signatureOf(`m${i}`, model));
  t.deepEqual(JSON.parse(JSON.stringify(signatures)), signatures);
  const groups = commonPrefixes(signatures);
  t.deepEqual(
    groups.map(({ members }) => members),
    [['m0', 'm1', 'm2']],
  );
  const [{ best, cuts }] = groups as [PrefixGroup];
  t.is(best.prefix.nodes, 10, 'all but the last layer');
  t.deepEqual(
    best.tensors.map(({ type, dims, bytesPerInput }) => ({ type, dims, bytesPerInput })),
    [{ type: 'float32', dims: ['N', 4], bytesPerInput: 16 }],
  );
  t.true(best.exact && best.costKnown && Object.values(best.shares).every(share => share > 0.9));
  t.true(cuts.length > 4 && cuts.every((cut, i) => i === 0 || cut.prefix.cost <= cuts[i - 1]!.prefix.cost));
  for (const cut of cuts) {
    const prefixes = models.map(model => Buffer.from(writeModel(splitAt(model, cut).prefix)));
    t.true(
      prefixes.every(prefix => prefix.equals(prefixes[0]!)),
      'the prefix is the same from every member',
    );
  }
  for (const model of models) t.is(difference(await runModel(model, FEEDS), await runParts(model, best, FEEDS)), 0);
});

test('prefixes: groups inside groups', t => {
  const tail = (seed: number) =>
    [[node('Conv', 'r1 v', 'c9'), node('GlobalAveragePool', 'c9', 'y')], [weights('v', [2, 4, 1, 1], seed)]] as const;
  const networks = {
    a: residual(1),
    b: residual(2),
    c: withTail(residual(), 3, ...tail(20)),
    d: withTail(residual(), 3, ...tail(21)),
    other: { ...residual(), weights: [weights('w1', [4, 2, 3, 3], 99), ...residual().weights!.slice(1)] },
  };
  const groups = commonPrefixes(Object.entries(networks).map(([name, one]) => signatureOf(name, modelOf(one))));
  t.is(groups.length, 1);
  t.deepEqual(groups[0]!.members, ['a', 'b', 'c', 'd']);
  t.is(groups[0]!.best.prefix.nodes, 3);
  t.deepEqual(
    groups[0]!.groups.map(({ members, groups: inner }) => [members, inner]),
    [[['a', 'b'], []]],
  );
  t.is(groups[0]!.groups[0]!.best.prefix.nodes, 10);
  t.true(groups[0]!.groups[0]!.cuts.length > groups[0]!.cuts.length, 'with the cuts further up');
});

test('prefixes: members that use other tensors of one trunk share it with all of them', async t => {
  const plain = residual(1);
  const skipping = withTail(residual(2), 8, [
    node('Add', 'r3 r1', 'both'),
    node('GlobalAveragePool', 'both', 'p'),
    node('Flatten', 'p', 'f'),
    node('Gemm', 'f w4 b4', 'y'),
  ]);
  const models = [modelOf(plain), modelOf(skipping)];
  const [group] = commonPrefixes(models.map((model, i) => signatureOf(String(i), model)));
  const cut = group!.cuts[0]!;
  t.is(cut.tensors.length, 2, 'r3 for both, r1 for one');
  const parts = models.map(model => splitAt(model, cut));
  t.deepEqual(
    parts.map(({ suffix }) => suffix.proto.graph!.input.length),
    [1, 2],
  );
  t.true(Buffer.from(writeModel(parts[0]!.prefix)).equals(writeModel(parts[1]!.prefix)));
  for (const model of models)
    t.true(difference(await runModel(model, FEEDS), await runParts(model, cut, FEEDS)) < 1e-5);
});

test('prefixes: a model that is the trunk of another is a member with nothing left to run', async t => {
  const trunk: Network = { ...residual(), outputs: ['f'], nodes: residual().nodes.slice(0, 10) };
  const models = [modelOf(trunk), modelOf(residual())];
  const [group] = commonPrefixes(models.map((model, i) => signatureOf(String(i), model)));
  t.is(group!.best.shares['0'], 1);
  for (const model of models)
    t.is(difference(await runModel(model, FEEDS), await runParts(model, group!.best, FEEDS)), 0);
});

test('prefixes: equal subtrees count once, whether the exporter merged them or not', t => {
  const merged: Network = {
    ...branching,
    nodes: branching.nodes
      .filter(({ output }) => !['a2', 'twin'].includes(output[0]!))
      .map(one => (one.opType === 'Concat' ? node('Concat', 'left left right', 'all', { axis: 1 }) : one)),
  };
  const models = [modelOf(branching), modelOf(merged)];
  const [first, second] = models.map(model => cutsOf(model).cuts.map(({ hash, prefix }) => [hash, prefix]));
  t.deepEqual(first, second);
  for (const cut of cutsOf(models[0]!).cuts)
    t.true(
      Buffer.from(writeModel(splitAt(models[0]!, cut).prefix)).equals(writeModel(splitAt(models[1]!, cut).prefix)),
    );
});

test('prefixes: nothing in common is no group; twenty members are one', t => {
  const strangers = [
    residual(),
    { ...residual(), weights: [...residual().weights!.slice(1), floats('w1', [4, 2, 3, 3], Array(72).fill(0.5))] },
  ];
  t.deepEqual(commonPrefixes(strangers.map((one, i) => signatureOf(String(i), modelOf(one)))), []);
  const many = Array.from({ length: 20 }, (_, i) => signatureOf(`variant ${i}`, modelOf(residual(i))));
  t.deepEqual(
    commonPrefixes(many).map(({ members }) => members.length),
    [20],
  );
  t.throws(() => commonPrefixes([many[0]!, many[0]!]), { message: /same name/ });
});
