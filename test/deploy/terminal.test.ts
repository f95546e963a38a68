import test from 'ava';
import fc from 'fast-check';
import { bar, cut, styleFor, table, visibleWidth } from '../../deploy/terminal/index.ts';
import { jsonLog, parseLogLine, prettyLog } from '../../deploy/log.ts';

test('terminal: whatever is cut fits, and colours are closed', t => {
  const { red, bold } = styleFor(true);
  const text = fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.boolean()), { maxLength: 5 });
  t.notThrows(() =>
    fc.assert(
      fc.property(text, fc.nat(30), (parts, width) => {
        const whole = parts.map(([part, colour]) => (colour ? red(bold(part)) : part)).join('');
        const short = cut(whole, width);
        return (
          visibleWidth(short) <= Math.max(width, 0) &&
          (!short.includes('\u001b[31m') || ['\u001b[0m', '\u001b[39m'].some(end => short.includes(end)))
        );
      }),
    ),
  );
});

test('terminal: a table gives way in its flexible columns only', t => {
  const lines = table(
    [
      { title: 'NAME', flexible: true },
      { title: 'N', align: 'right' },
    ],
    [
      ['a-rather-long-name', '12'],
      ['b', '3456'],
    ],
    { width: 16 },
  );
  t.deepEqual(lines, ['NAME           N', 'a-rather-…    12', 'b           3456']);
});

test('terminal: a bar grows by eighths', t => {
  t.is(bar(0, 4), '····');
  t.is(bar(0.5, 4), '██··');
  t.is(bar(0.53125, 4), '██▏·');
  t.is(bar(7, 4), '████');
});

test('log: lines for machines are read back, other output is not mistaken for one', t => {
  let written = '';
  const log = jsonLog({ actor: 'a', write: line => (written = line), unixMs: () => 0 });
  log.warn('it "broke"', { times: 3, file: 'x\ny' });
  t.deepEqual(parseLogLine(written), {
    time: '1970-01-01T00:00:00.000Z',
    level: 'warn',
    actor: 'a',
    message: 'it "broke"',
    times: 3,
    file: 'x\ny',
  });
  for (const other of ['', 'Error: x', '{', '{"level":"warn"}', '[1]']) t.is(parseLogLine(other), undefined);
});

test('log: lines for people, lesser levels left out', t => {
  let written = '';
  const log = prettyLog({
    actor: 'gpu-a',
    write: line => (written += line),
    unixMs: () => 0,
    color: false,
    level: 'info',
  });
  log.debug('no');
  log.info('loaded', { model: 'det', ms: 12, list: ['a'], nothing: undefined });
  t.is(written, '00:00:00.000 info  gpu-a  loaded  model=det  ms=12  list=["a"]\n');
});
