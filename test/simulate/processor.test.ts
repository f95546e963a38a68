import test from 'ava';
import { kindsOf } from '../../deploy/simulate/processor.ts';
import { compile, readScenario, simulate, type ProcessorTime } from '../../deploy/simulate/index.ts';
import { oneModel, written } from './scenarios.ts';

test('simulate: who takes the processor is told by kind of actor, and the outcome is the same', async t => {
  const scenario = compile(await readScenario(await written(t, oneModel({ gpus: 2, rateHz: 700, durationS: 3 }))), 1);
  let time: ProcessorTime | undefined;
  const outcome = await simulate(scenario, undefined, { onProcessor: told => (time = told) });
  t.deepEqual(await simulate(scenario), outcome);
  const { cpuMs, virtualMs, requests, kinds } = time!;
  t.is(virtualMs, 5000);
  t.true(requests > outcome.queries[0]!.offered, 'those of the warm-up count');
  const sum = kinds.reduce((all, one) => all + one.cpuMs, 0);
  t.true(Math.abs(sum - cpuMs) < 1e-6 * cpuMs, 'the shares are of all of it');
  for (const kind of ['query-router', 'prefix-batcher', 'gpu-host', 'simulator'])
    t.true(kinds.find(one => one.kind === kind)!.cpuMs > 0, kind);
});

test('simulate: what an actor calls is its own, whatever file that is in', t => {
  const node = (id: number, functionName: string, url: string, children: number[] = []) => {
    const callFrame = { functionName, url, scriptId: '0', lineNumber: 0, columnNumber: 0 };
    return { id, callFrame, children };
  };
  const kinds = kindsOf({
    nodes: [
      node(1, '(root)', '', [2, 6, 7]),
      node(2, 'turn', 'file:///dist/bus/clocks/virtual-clock.js', [3]),
      node(3, '#deliver', 'file:///dist/actors/actor/endpoint.js', [4]),
      node(4, 'offers', 'file:///dist/actors/prefix-batcher/batcher.js', [5]),
      node(5, 'publish', 'file:///dist/actors/actor/runtime.js'),
      node(6, '(garbage collector)', ''),
      node(7, '(idle)', ''),
    ],
  });
  t.deepEqual(
    [...kinds].sort(([a], [b]) => a - b),
    [
      [1, 'simulator'],
      [2, 'simulator'],
      [3, 'simulator'],
      [4, 'prefix-batcher'],
      [5, 'prefix-batcher'],
      [6, 'garbage collection'],
      [7, undefined],
    ],
  );
});
