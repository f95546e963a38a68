import type { Cancel, Clock } from '../../contracts/index.ts';
import type { ActorProcess, Exit } from './actor-process.ts';
import type { ClusterEvent } from './events.ts';
import { afterFailure, noFailures, type FailureRecord, type RestartPolicy } from './restart.ts';
import type { ActorSpec } from './specs.ts';

export type SupervisedState = 'starting' | 'running' | 'waiting' | 'stopping' | 'left' | 'stopped' | 'gave-up';

interface Surroundings {
  readonly clock: Clock;
  readonly policy: RestartPolicy;
  readonly start: (spec: ActorSpec) => ActorProcess;
  readonly onEvent: (event: ClusterEvent) => void;
}

/** Exit code of a wrong command line or configuration: starting again can't help. */
const EXIT_USAGE = 2;
/** The runtime lets handlers finish for 30 s. */
const KILL_AFTER_MS = 35_000;

/** One actor and the process that runs it now; a process that ends with an error is replaced, one that ends with 0 is not. */
export class Supervised {
  readonly spec: ActorSpec;
  readonly #around: Surroundings;
  readonly #settled = new Set<() => void>();
  #process: ActorProcess | undefined;
  #state: SupervisedState = 'stopped';
  #record: FailureRecord = noFailures;
  #cancelRestart: Cancel = () => {};
  #restarts = 0;
  #lastExit: Exit | undefined;

  constructor(spec: ActorSpec, around: Surroundings) {
    this.spec = spec;
    this.#around = around;
  }

  get state(): SupervisedState {
    return this.#state;
  }
  get pid(): number | undefined {
    return this.#process?.pid;
  }
  get restarts(): number {
    return this.#restarts;
  }
  get lastExit(): Exit | undefined {
    return this.#lastExit;
  }

  start(): void {
    if (this.#process || this.#state === 'waiting') return;
    this.#record = noFailures;
    this.#launch();
  }

  /** Resolves when it runs; rejects when it has ended for good, with what it said last. */
  async ready(): Promise<void> {
    await this.#until(() => this.#state !== 'starting' && this.#state !== 'waiting');
    if (this.#state === 'running' || this.#state === 'left') return;
    const words = this.#lastExit?.lastWords.join('\n  ');
    throw new Error(`${this.spec.name} did not start${words ? `:\n  ${words}` : ''}`);
  }

  /** In good order; killed if that takes too long. Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#cancelRestart();
    const running = this.#process;
    if (!running) {
      if (this.#state === 'waiting') this.#become('stopped');
      return;
    }
    this.#become('stopping');
    running.signal('SIGTERM');
    const cancel = this.#around.clock.after(KILL_AFTER_MS, () => running.signal('SIGKILL'));
    await running.exited;
    cancel();
    await this.#until(() => this.#process !== running);
  }

  /** Sends a signal as a fault would; the supervisor then does what it does. */
  signal(signal: NodeJS.Signals): void {
    this.#process?.signal(signal);
  }

  #launch(): void {
    const { clock, start, onEvent } = this.#around;
    const running = start(this.spec);
    this.#process = running;
    this.#become('starting');
    onEvent({ event: 'starting', actor: this.spec.name, kind: this.spec.actor, pid: running.pid });
    void running.ready.then(() => {
      if (this.#process !== running || this.#state !== 'starting') return;
      onEvent({ event: 'ready', actor: this.spec.name, pid: running.pid, afterMs: clock.nowMs() - running.startedMs });
      this.#become('running');
    });
    void running.exited.then(exit => this.#onExit(running, exit));
  }

  #onExit(ended: ActorProcess, exit: Exit): void {
    const { clock, policy, onEvent } = this.#around;
    const { name } = this.spec;
    const { code, signal } = exit;
    const stopping = this.#state === 'stopping';
    const wasStarting = this.#state === 'starting';
    this.#process = undefined;
    this.#lastExit = exit;
    onEvent({ event: 'exited', actor: name, pid: ended.pid, code, signal, expected: stopping || code === 0 });
    if (stopping) return this.#become('stopped');
    if (code === 0) return this.#become('left');
    if (code === EXIT_USAGE && wasStarting) {
      onEvent({ event: 'gave-up', actor: name, detail: 'its configuration is wrong' });
      return this.#become('gave-up');
    }
    const decision = afterFailure(this.#record, { nowMs: clock.nowMs(), ranMs: exit.ranMs }, policy);
    this.#record = decision.record;
    const failures = decision.record.failedAtMs.length;
    if (!decision.restart) {
      const detail = `it failed ${failures} times within ${policy.windowMs / 1000} s`;
      onEvent({ event: 'gave-up', actor: name, detail });
      return this.#become('gave-up');
    }
    onEvent({ event: 'restarting', actor: name, inMs: decision.inMs, failures });
    this.#become('waiting');
    this.#cancelRestart = clock.after(decision.inMs, () => {
      this.#restarts++;
      this.#launch();
    });
  }

  #become(state: SupervisedState): void {
    this.#state = state;
    for (const wake of this.#settled) wake();
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>(resolve => {
        const wake = (): void => {
          this.#settled.delete(wake);
          resolve();
        };
        this.#settled.add(wake);
      });
    }
  }
}
