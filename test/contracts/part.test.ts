import test from 'ava';
import { cutOf, isPrefix, isSuffix, modelOf, prefixId, suffixId } from '../../contracts/index.ts';

test('parts: an id tells what it is, of which model and at which cut', t => {
  const model = 'prefix@0123456789ab'; // a model may be called so
  const parts = [model, prefixId('ba9876543210'), suffixId(model, 'ba9876543210')];
  t.deepEqual(parts.map(isPrefix), [false, true, false]);
  t.deepEqual(parts.map(isSuffix), [false, false, true]);
  t.deepEqual(parts.map(cutOf), [undefined, 'ba9876543210', 'ba9876543210']);
  t.deepEqual(parts.map(modelOf), [model, 'prefix/ba9876543210', model]);
});
