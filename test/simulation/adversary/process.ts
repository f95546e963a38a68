import { startActor, type AnyActor, type RunningActor } from '../../../actors/actor/index.ts';
import type { Network, VirtualClock } from '../../../bus/index.ts';
import { describeError, seededRandom, type Bus, type Clock, type Log } from '../../../contracts/index.ts';
import { Gate, processClock } from '../../../deploy/simulate/index.ts';
import { processBus, type Tamper, type Tap } from './process-bus.ts';
import type { Links } from './links.ts';
import type { Stores } from './store.ts';

/** What all processes live in. */
export interface Surroundings {
  readonly clock: VirtualClock;
  readonly network: Network;
  readonly links: Links;
  readonly stores: Stores;
  readonly seed: number;
  tap(process: Process): Tap;
  log(process: Process, level: string, message: string, facts: object): void;
}

/** How to make the actor of a process; `clock` is the process's own. */
export interface Program {
  readonly role: string;
  readonly config: object;
  define(process: Process, clock: Clock): AnyActor;
  readonly tamper?: (process: Process) => Tamper;
  /** Of its clock. */
  readonly rate: number;
}

const RESTART_MS = 1000;

/** One process of the cluster: an actor that can die, freeze and be started again, with a clock and a bus of its own. */
export class Process {
  readonly id: string;
  readonly program: Program;
  /** Counts its starts. */
  incarnation = 0;
  running: RunningActor | undefined;
  gate: Gate;
  /** A device takes so many times as long as it should. */
  slowness = 1;
  /** It has left in good order: nobody starts it again. */
  left = false;
  readonly #around: Surroundings;
  #bus: Bus | undefined;

  constructor(id: string, program: Program, around: Surroundings) {
    this.id = id;
    this.program = program;
    this.#around = around;
    this.gate = new Gate(around.clock);
    this.gate.die();
  }

  get alive(): boolean {
    return !this.gate.dead;
  }

  get connected(): boolean {
    return this.#bus?.connected ?? false;
  }

  start(): void {
    if (this.alive) return;
    const { clock: base, network, links, stores, seed } = this.#around;
    const { program, id } = this;
    const incarnation = ++this.incarnation;
    this.left = false;
    const gate = (this.gate = new Gate(base));
    const clock = processClock(base, gate, { rate: program.rate, originMs: 1000 * incarnation });
    const inner = (this.#bus = network.connect(id));
    const tamper = program.tamper?.(this) ?? {};
    const tap = this.#around.tap(this);
    const lagMs = (): number => links.lagMs(id);
    const echoesMs = (subject: string): readonly number[] => links.echoesMs(id, subject);
    const bus = processBus({ id, inner, clock: base, gate, stores, tap, tamper, lagMs, echoesMs });
    const random = seededRandom(hash(`${seed} ${id} ${incarnation}`));
    const { config } = program;
    void startActor(program.define(this, clock), {
      bus,
      clock,
      random,
      log: this.#log(),
      id,
      config,
      checkOutgoing: true,
    }).then(
      running => {
        if (gate.dead) return running.kill();
        this.running = running;
        void running.ended.then(ending => {
          if (gate.dead) return;
          this.kill();
          this.left = ending.how === 'left';
          if (!this.left) base.after(RESTART_MS, () => this.start());
        });
      },
      error => {
        if (gate.dead) return;
        this.#around.log(this, 'warn', 'did not start', { error: describeError(error) });
        this.kill();
        base.after(RESTART_MS, () => this.start());
      },
    );
  }

  /** As kill -9 does. */
  kill(): void {
    if (!this.alive) return;
    this.gate.die();
    this.running?.kill();
    this.running = undefined;
    void this.#bus?.close();
  }

  #log(): Log {
    const say =
      (level: string) =>
      (message: string, facts: object = {}): void =>
        this.#around.log(this, level, message, facts);
    return { debug: () => {}, info: say('info'), warn: say('warn'), error: say('error') };
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
