import test from 'ava';
import fc from 'fast-check';
import { ById } from '../../actors/prefix-batcher/by-id.ts';

const ids = fc.oneof(
  fc.nat({ max: 300 }),
  fc.nat({ max: 40 }).map(n => n * 64),
  fc.nat({ max: 5 }).map(n => 2 ** 40 + n),
);
const steps = fc.array(fc.record({ id: ids, goes: fc.boolean() }), { maxLength: 600 });

test('by id: it holds what a Map would, whatever comes and goes', t => {
  fc.assert(
    fc.property(steps, all => {
      const table = new ById<{ id: number }>();
      const map = new Map<number, { id: number }>();
      for (const { id, goes } of all) {
        if (goes) t.is(table.delete(id), map.delete(id));
        else if (!map.has(id)) {
          const item = { id };
          table.add(item);
          map.set(id, item);
        }
        t.is(table.size, map.size);
      }
      for (const { id } of all) t.is(table.get(id), map.get(id));
    }),
  );
  t.pass();
});
