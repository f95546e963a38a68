import test from 'ava';
import { decode, encode } from '../../bus/index.ts';
import {
  Bytes,
  checkVersion,
  Frame,
  InvalidMessageError,
  Ms,
  subjects,
  Type,
  UnsupportedVersionError,
  validator,
} from '../../contracts/index.ts';

for (const [name, subject] of Object.entries(subjects)) {
  test(`contracts: the example of ${name} fits its schema, also after a trip over the wire`, t => {
    t.deepEqual(subject.message.problems(subject.example), []);
    t.deepEqual(subject.message.problems(decode(encode(subject.example))), []);
    if (subject.reply) t.deepEqual(subject.reply.problems(decode(encode(subject.replyExample))), []);
  });
}

test('contracts: a subject is written and read back', t => {
  const text = subjects.results.at('acme', { tenant: 't1', query: 'q', stream: 's' });
  t.is(text, 'acme.results.t1.q.s');
  t.deepEqual(subjects.results.paramsOf('acme', text), { tenant: 't1', query: 'q', stream: 's' });
  t.is(subjects.frames.at('ganglion', { tenant: 't1' }), 'ganglion.frames.t1.*');
});

test('contracts: a name that would break out of its token is refused', t => {
  for (const stream of ['a.b', '>', 'a b', '', '*x', 'ä', 'x'.repeat(65)]) {
    t.throws(
      () => subjects.frames.at('ganglion', { tenant: 'default', stream }),
      { message: /must be a name/ },
      stream,
    );
  }
});

test('contracts: every subject has at most 16 tokens and its parameters last', t => {
  for (const { pattern } of Object.values(subjects)) {
    const tokens = pattern.split('.');
    t.true(tokens.length + 1 <= 16, pattern);
    const firstParameter = tokens.findIndex(token => token.startsWith('{'));
    if (firstParameter >= 0)
      t.true(
        tokens.slice(firstParameter).every(token => token.startsWith('{')),
        pattern,
      );
  }
});

test('contracts: a misfit says where and what', t => {
  const frame = validator(Frame);
  const picture = { encoding: 'jpeg', data: new Uint8Array(3) };
  const misfits: [unknown, RegExp][] = [
    [{ v: 1, picture }, /the message lacks "seq"/],
    [{ v: 1, seq: -1, picture }, /\/seq must be >= 0/],
    [{ v: 1, seq: 1.5, picture }, /\/seq must be integer/],
    [
      { v: 1, seq: 1, picture: { encoding: 'gif', data: picture.data } },
      /\/picture\/encoding must be one of jpeg, png/,
    ],
    [{ v: 1, seq: 1, picture: { encoding: 'jpeg', data: 'not binary' } }, /\/picture\/data must be binary/],
    [{ v: 1, seq: 1, picture, ageMs: Number.NaN }, /\/ageMs/],
    ['a string', /must be object/],
    [null, /must be object/],
  ];
  for (const [message, sentence] of misfits) {
    t.throws(() => frame.check(message, 'ganglion.frames.default.cam'), {
      instanceOf: InvalidMessageError,
      message: sentence,
    });
  }
});

test('contracts: unknown fields are ignored, an unknown version is refused by name', t => {
  const message = { ...subjects.frames.example, colour: 'blue' };
  t.notThrows(() => subjects.frames.message.check(message, 'x'));
  t.throws(() => checkVersion({ ...message, v: 7 }, 1, 'x'), {
    instanceOf: UnsupportedVersionError,
    message: /version 7 is not understood.*version 1/,
  });
});

test('contracts: numbers that are none do not pass as times', t => {
  const ms = validator(Type.Object({ ms: Ms('x') }));
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, -1, '5', null])
    t.false(ms.accepts({ ms: bad }), String(bad));
});

test('contracts: binary has an upper bound', t => {
  const small = validator(Bytes({ maxLength: 4 }));
  t.true(small.accepts(new Uint8Array(4)));
  t.false(small.accepts(new Uint8Array(5)));
});
