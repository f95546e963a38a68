import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { encode } from '../../bus/index.ts';
import { subjects } from '../../contracts/index.ts';
import { result } from '../../contracts/examples.ts';
import { startNats } from '../helpers/nats-server.ts';
import { spawnCommand, temporaryFolder, until } from './command-line.ts';

const ALERT = `
import { actor, GanglionError, RefusedError, subjects, Type, type Result } from 'ganglion';

const words = (result: Result): string => result.outcome;

export default actor({
  name: 'score-alert',
  version: '1.0.0',
  description: 'Tells outcomes.',
  config: Type.Object({ greeting: Type.String({ default: 'heard' }), times: Type.Optional(Type.Integer()) }),
  state: () => ({ seen: 0 }),
  on: {
    results: {
      handle: (ctx, result) => {
        ctx.state.seen++;
        ctx.log.info(ctx.config.greeting + ' ' + words(result), { one: new RefusedError('x') instanceof GanglionError });
        if (result.outcome === 'failed') ctx.leave('seen enough');
        if (result.outcome === 'rejected') ctx.crash(new Error('no more'));
      },
    },
  },
});
`;

test.serial("run: a user's own TypeScript actor, far from this package, meets ours on the bus", async t => {
  const server = await startNats(t);
  const bus = await server.connect();
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'score-alert.ts'), ALERT);
  const args = [
    'run',
    './score-alert.ts',
    '--name',
    'alert',
    '--nats',
    server.url,
    '--log',
    'json',
    '--set',
    'greeting=saw',
  ];
  const actor = spawnCommand(t, args, { cwd: folder });
  await actor.says('"running"');
  const say = (outcome: string): boolean =>
    bus.publish(
      subjects.results.at('ganglion', { tenant: 'default', query: 'scoreboard', stream: 'game-1' }),
      encode({ ...result, outcome }),
    );
  // It answers discovery once the server knows all its subscriptions.
  const found = async (): Promise<boolean> =>
    (await bus.requestMany('$SRV.PING.score-alert', new Uint8Array(0), { waitMs: 500, max: 1 })).length === 1;
  await until('it is found', found);
  say('ok');
  await actor.says('saw ok');
  t.true(actor.said().includes('"one":true'), 'its classes are those of this very package');
  say('failed');
  t.is((await actor.ended).code, 0, 'one that leaves ends with 0');

  const second = spawnCommand(t, args, { cwd: folder });
  await second.says('"running"');
  await until('it is found', found);
  say('rejected');
  t.is((await second.ended).code, 1, 'one that crashes ends with 1');
});

test.serial('run: SIGTERM stops an actor in good order, exit code 0', async t => {
  const server = await startNats(t);
  const actor = spawnCommand(t, ['run', 'prefix-batcher', '--name', 'b1', '--nats', server.url]);
  await actor.says('running');
  actor.signal('SIGTERM');
  t.is((await actor.ended).code, 0);
  t.regex(actor.said(), /stopped/);
});

test.serial('run: a wrong configuration is exit code 2 and names the field', async t => {
  const server = await startNats(t);
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'a.ts'), ALERT);
  const actor = spawnCommand(t, ['run', './a.ts', '--nats', server.url, '--config', '{"times": "often"}'], {
    cwd: folder,
  });
  t.is((await actor.ended).code, 2);
  t.regex(actor.said(), /score-alert config\.times/);
});

test.serial('run: a file without an actor is exit code 2 and says what to write', async t => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'a.ts'), 'export const x = 1;');
  const actor = spawnCommand(t, ['run', './a.ts', '--no-wait'], { cwd: folder });
  t.is((await actor.ended).code, 2);
  t.regex(actor.said(), /no actor as its default export\n.*export default actor/);
});

test.serial('run: without NATS an actor waits, says so, and starts when it comes', async t => {
  const server = await startNats(t);
  await server.crash();
  const actor = spawnCommand(t, ['run', 'prefix-batcher', '--name', 'b1', '--nats', server.url]);
  await actor.says('waiting for NATS');
  await server.restart();
  await actor.says('running');
  actor.signal('SIGINT');
  t.is((await actor.ended).code, 0);
});
