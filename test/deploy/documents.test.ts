import test from 'ava';
import { crossCheck, formatProblem, nothingKnown, parseDocuments } from '../../deploy/documents/index.ts';

/** What `ganglion apply` would say of this text as `f.yaml`. */
function told(text: string): string {
  const { documents, problems } = parseDocuments(text, 'f.yaml');
  return [...problems, ...crossCheck(documents, nothingKnown)].map(formatProblem).join('\n');
}

const model = (name: string, more = ''): string => `kind: Model
name: ${name}
version: "1"
file: a.onnx
licence: MIT
source: here
preprocess: { kind: picture, width: 64, height: 64, fit: stretch }
postprocess: { kind: boxes, coordinates: corners }
batchMax: 4
${more}`;
const classifier = (name: string): string => model(name).replace('boxes, coordinates: corners', 'classes');

const mistakes: Record<string, { text: string; says: string }> = {
  'a field misspelt stands in for the one that is missing': {
    text: 'kind: Query\nname: q\nobjective: 500\nstages:\n  a: { model: det }\n---\n' + model('det'),
    says: 'f.yaml:3: objective: is not a field of a Query\n  did you mean "objectiveMs"?',
  },
  'a required field is missing': {
    text: model('det').replace('licence: MIT\n', ''),
    says: 'f.yaml:1: lacks "licence"\n  licence: of the weights',
  },
  'a number with its unit': {
    text: 'kind: Stream\nname: s\nsource: { kind: synthetic }\nrateHz: 25 fps',
    says: 'f.yaml:4: rateHz: must be a number, not the text "25 fps"\n  write 25, without quotes or unit',
  },
  'a text that YAML reads as a number': {
    text: model('det').replace('"1"', '1.0'),
    says: 'f.yaml:3: version: must be text, not 1\n  put it in quotes: "1"',
  },
  'a word that is none of the choice': {
    text: 'kind: Query\nname: q\nobjectiveMs: 9\nprefer: latancy\nstages:\n  a: { model: det }\n---\n' + model('det'),
    says: 'f.yaml:4: prefer: must be one of latency, consolidation, not the text "latancy"\n  did you mean "latency"?',
  },
  'a name with a space': {
    text: model('my model'),
    says: 'f.yaml:2: name: must be a name of A-Z a-z 0-9 _ - (at most 64), not the text "my model"\n  for example "my-model"',
  },
  'a number out of range': {
    text: model('det').replace('batchMax: 4', 'batchMax: 0'),
    says: 'f.yaml:9: batchMax: must be at least 1, not 0\n  largest batch to profile and plan; above 1, a graph that was exported for a batch of 1 is changed to take any when it is applied, or refused with the reason',
  },
  'an unknown kind of document': {
    text: '# a comment\nkind: Qery\nname: q',
    says: 'f.yaml:2: kind: must be one of Model, Query, Stream, Cluster, not "Qery"\n  did you mean "Query"?',
  },
  'no kind at all': {
    text: '- a\n- b',
    says: 'f.yaml:1: lacks "kind"\n  kinds of documents: Model, Query, Stream, Cluster',
  },
  'an unknown kind inside': {
    text: model('det').replace('kind: boxes', 'kind: boxs'),
    says: 'f.yaml:8: postprocess.kind: must be one of classes, text-boxes, ctc, boxes, tensors, module, not the text "boxs"\n  did you mean "boxes"?',
  },
  'a field of the wrong branch of a union': {
    text: 'kind: Stream\nname: s\nrateHz: 1\nsource:\n  kind: folder\n  path: x\n  url: y',
    says: 'f.yaml:7: source.url: is not a field here\n  fields not used yet: loop',
  },
  'an item of a list': {
    text: 'kind: Cluster\nname: c\nactors:\n  - actor: gpu-host\n  - actor: gpu-host\n    cont: 3',
    says: 'f.yaml:6: actors[1].cont: is not a field here\n  did you mean "count"?',
  },
  'the same key twice': {
    text: 'kind: Stream\nname: s\nname: t',
    says: 'f.yaml:3: not YAML: Map keys must be unique',
  },
  'a stage from one that does not exist': {
    text: `${model('det')}---\nkind: Query\nname: q\nobjectiveMs: 9\nstages:\n  detect: { model: det }\n  read: { model: det, from: detct }`,
    says: 'f.yaml:16: stages.read.from: there is no stage "detct"\n  did you mean "detect"?',
  },
  'a model that does not exist': {
    text: `${model('det')}---\nkind: Query\nname: q\nobjectiveMs: 9\nstages:\n  detect: { model: dat }`,
    says: 'f.yaml:15: stages.detect.model: there is no model "dat"\n  did you mean "det"?',
  },
  'stages that wait for each other': {
    text: `${model('det')}---\nkind: Query\nname: q\nobjectiveMs: 9\nstages:\n  a: { model: det, from: b }\n  b: { model: det, from: a }`,
    says: 'f.yaml:15: stages.a.from: stages wait for each other: a from b from a',
  },
  'crops of a stage that finds no boxes': {
    text: `${classifier('cls')}---\nkind: Query\nname: q\nobjectiveMs: 9\nstages:\n  a: { model: cls }\n  b: { model: cls, from: a }`,
    says: 'f.yaml:16: stages.b.from: stage "a" finds no boxes: its model "cls" yields classes\n  use a model whose postprocess is boxes or text-boxes, or set whole: true',
  },
  'one name for two models': {
    text: `${model('det')}---\n${model('det')}`,
    says: 'f.yaml:12: name: Model det is already defined at f.yaml:2',
  },
};

for (const [situation, { text, says }] of Object.entries(mistakes)) {
  test(`documents: ${situation}: line, field, what is wrong, what to do`, t => {
    t.is(told(text), says);
  });
}

test('documents: all mistakes of all documents are told at once', t => {
  const { problems, documents } = parseDocuments(
    `${model('ok')}---\n${model('a b').replace('batchMax: 4', 'batchMax: many')}---\nkind: Stream\nname: s`,
    'f.yaml',
  );
  t.deepEqual(
    problems.map(problem => `${problem.line} ${problem.field}`),
    ['12 name', '19 batchMax', '21 ', '21 '],
  );
  t.is(documents.length, 1, 'the good one is still read');
});

test('documents: streams nobody reads and queries without a stream are warnings, not errors', t => {
  const text = `${model('det')}---\nkind: Query\nname: q\nobjectiveMs: 9\nstreams: [cam-*]\nstages: { a: { model: det } }\n---\nkind: Stream\nname: other\nrateHz: 1\nsource: { kind: synthetic }`;
  const { documents } = parseDocuments(text, 'f.yaml');
  t.deepEqual(
    crossCheck(documents, nothingKnown).map(({ severity, field }) => [severity, field]),
    [
      ['warning', 'streams[0]'],
      ['warning', 'name'],
    ],
  );
});

test('documents: comments, anchors and several documents are understood', t => {
  const { documents, problems } = parseDocuments(
    `# first\n${model('a')}---\n# nothing here\n---\nkind: Stream\nname: s\nrateHz: &rate 2\nsource: { kind: synthetic, seed: *rate }\n`,
    'f.yaml',
  );
  t.deepEqual(problems, []);
  t.deepEqual(
    documents.map(one => one.document.name),
    ['a', 's'],
  );
});
