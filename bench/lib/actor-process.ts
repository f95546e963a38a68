import { startActor } from '../../actors/actor/index.ts';
import { gpuHost } from '../../actors/gpu-host/index.ts';
import { connectNats, realClock, systemRandom } from '../../bus/index.ts';
import type { ACTOR_NAMES } from '../../contracts/index.ts';
import { jsonLog } from '../../deploy/log.ts';
import { ourActor } from '../../deploy/registry.ts';
import { processVitals } from '../../deploy/vitals.ts';
import { openBenchDevice, type DeviceKind } from './devices.ts';

/** One actor of a benchmark, in a process of its own. Says "ready" over IPC; stops in good order when asked, or left alone. */
export interface ActorTask {
  readonly actor: (typeof ACTOR_NAMES)[number];
  readonly name: string;
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of a GPU host. Default usual. */
  readonly device?: DeviceKind;
}

const [url, text] = process.argv.slice(2);
const task = JSON.parse(text!) as ActorTask;
const id = task.name;
const log = jsonLog({
  actor: id,
  level: 'warn',
  unixMs: () => realClock.unixMs(),
  write: line => void process.stderr.write(`${line}\n`),
});
const bus = await connectNats({ servers: [url!], name: id, clock: realClock, log });
const definition =
  task.actor === 'gpu-host'
    ? gpuHost({ openDevice: settings => openBenchDevice(task.device ?? 'usual', settings) })
    : await ourActor(task.actor, log);
const running = await startActor(definition, {
  bus,
  clock: realClock,
  random: systemRandom,
  log,
  id,
  config: task.config ?? {},
  vitals: processVitals(),
});
let stopping = false;
const stop = async (): Promise<void> => {
  if (stopping) return;
  stopping = true;
  await running.stop();
  await bus.drain();
  process.exit(0);
};
process.once('disconnect', () => void stop());
process.once('message', () => void stop());
void running.ended.then(stop);
process.send?.('ready');
