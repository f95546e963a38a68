import test from 'ava';
import { fieldsOf, truthAt } from '../../actors/stream-sampler/index.ts';
import type { Result, StageResult } from '../../contracts/index.ts';
import { editDistance, judge } from '../../deploy/demo/judge.ts';

const timing = { routeMs: 0, scheduleMs: 0, transferMs: 0, waitMs: 0, runMs: 0, returnMs: 0 };
const by = { model: 'm@000000000000', host: 'h', batch: 1, timing };
const truth = truthAt(7, 123_456);

function resultThatReads(read: (text: string, index: number) => string): Result {
  const fields = fieldsOf(truth);
  const detect: StageResult = {
    ...by,
    output: { kind: 'boxes', boxes: fields.map(({ box }) => ({ ...box, score: 1 })) },
  };
  const texts = fields.map(
    ({ text }, item): StageResult => ({
      ...by,
      from: 'detect',
      parent: 0,
      item,
      output: { kind: 'text', text: read(text, item), score: 1 },
    }),
  );
  return {
    v: 1,
    request: 'r',
    tenant: 't',
    query: 'q',
    outcome: 'ok',
    latencyMs: 1,
    objectiveMs: 1,
    router: 'r',
    epoch: 1,
    emulated: false,
    stages: { detect: [detect], read: texts },
  };
}

test('demo: reading everything right is a score of one', t => {
  const { characters, right } = judge(
    truth,
    resultThatReads(text => text),
  );
  t.true(characters > 20);
  t.is(right, characters);
});

test('demo: each wrong character costs one, a missing text all of its own', t => {
  const all = judge(
    truth,
    resultThatReads(text => text),
  );
  const oneWrong = judge(
    truth,
    resultThatReads((text, i) => (i === 0 ? `#${text.slice(1)}` : text)),
  );
  t.is(all.right - oneWrong.right, 1);
  const missing = judge(
    truth,
    resultThatReads((text, i) => (i === 0 ? '' : text)),
  );
  t.is(all.right - missing.right, fieldsOf(truth)[0]!.text.length);
  t.is(judge(truth, { ...resultThatReads(x => x), stages: {} }).right, 0);
});

test('demo: edit distance', t => {
  t.is(editDistance('kitten', 'sitting'), 3);
  t.is(editDistance('', 'abc'), 3);
  t.is(editDistance('12:34', '12:34'), 0);
});
