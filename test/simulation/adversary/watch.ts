import { createHash } from 'node:crypto';
import { decode } from '../../../bus/index.ts';
import { DEFAULT_PREFIX, type Clock, type Frame } from '../../../contracts/index.ts';
import type { DeviceWatch } from './device.ts';
import { Pictures } from './pictures.ts';
import type { Process } from './process.ts';
import type { Tap } from './process-bus.ts';
import type { Scenario } from './scenario.ts';
import { AskRules } from './rules/asks.ts';
import { BeatRules } from './rules/beats.ts';
import { DurableRules } from './rules/durable.ts';
import { OrderRules } from './rules/orders.ts';
import { PlanRules } from './rules/plans.ts';
import { RequestRules } from './rules/requests.ts';

export interface Violation {
  readonly atMs: number;
  readonly rule: string;
  readonly detail: string;
}

/** What a rule is told and may say. */
export interface Report {
  readonly scenario: Scenario;
  readonly pictures: Pictures;
  nowMs(): number;
  broken(rule: string, detail: string): void;
}

/** Rules see decoded messages at the moment they are sent or seen by an actor. Each looks at the subjects that concern it. */
export interface Rule {
  sent?(process: Process, subject: readonly string[], message: () => any): void;
  delivered?(process: Process, subject: readonly string[], message: () => any, reply: string | undefined): void;
  /** Now and then. */
  sweep?(processes: readonly Process[]): void;
}

const VIOLATIONS_MAX = 20;
/** Log lines that tell of a fault of the program, not of the world. */
const OUR_FAULT = /^(a handler failed|timer .* failed|.* failed|the actor can not go on)$/;

/** Looks at every message, device and log line of a run, and says which invariant broke first. */
export class Watch implements Report {
  readonly violations: Violation[] = [];
  readonly scenario: Scenario;
  readonly pictures = new Pictures();
  readonly requests: RequestRules;
  readonly beats: BeatRules;
  readonly plans: PlanRules;
  readonly durable: DurableRules;
  readonly asks: AskRules;
  readonly #rules: readonly Rule[];
  #clock: Clock | undefined;
  readonly #trace = createHash('sha256');
  messages = 0;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.requests = new RequestRules(this);
    this.beats = new BeatRules(this);
    this.plans = new PlanRules(this);
    this.durable = new DurableRules(this);
    this.asks = new AskRules(this);
    this.#rules = [this.requests, this.beats, this.plans, this.asks, new OrderRules(this, this.plans)];
  }

  attach(clock: Clock): void {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock?.nowMs() ?? 0;
  }

  broken(rule: string, detail: string): void {
    if (this.violations.length < VIOLATIONS_MAX) this.violations.push({ atMs: this.nowMs(), rule, detail });
  }

  tap(process: Process): Tap {
    return {
      sent: (subject, data) => {
        this.messages++;
        this.#trace.update(`${this.nowMs()} ${subject} ${data.byteLength}\n`);
        const [tokens, message] = [tokensOf(subject), once(data)];
        if (tokens[0] === 'frames') this.pictures.saw(tokens[2]!, message() as Frame);
        for (const rule of this.#rules) rule.sent?.(process, tokens, message);
      },
      delivered: (subject, data, reply) => {
        const [tokens, message] = [tokensOf(subject), once(data)];
        for (const rule of this.#rules) rule.delivered?.(process, tokens, message, reply);
      },
      appending: (subject, data, id) => {
        const [tokens, message] = [tokensOf(subject), once(data)];
        if (tokens[0] === 'frames') this.pictures.saw(tokens[2]!, message() as Frame);
        this.durable.appending(tokens, message, id);
      },
      appended: (subject, data, id) => this.durable.appended(tokensOf(subject), once(data), id),
    };
  }

  device(process: Process): DeviceWatch {
    return { broken: what => this.broken('device', `${process.id}: ${what}`) };
  }

  logged(process: Process, level: string, message: string, facts: object): void {
    if (level === 'error' && OUR_FAULT.test(message))
      this.broken('internal', `${process.id}: ${message} ${JSON.stringify(facts)}`);
  }

  /** Of all that was said: time, subject and size. */
  digest(): string {
    return this.#trace.copy().digest('hex');
  }

  sweep(processes: readonly Process[]): void {
    for (const rule of this.#rules) rule.sweep?.(processes);
  }
}

/** Below the prefix; a reply's inbox as it is. */
function tokensOf(subject: string): readonly string[] {
  const tokens = subject.split('.');
  return tokens[0] === DEFAULT_PREFIX ? tokens.slice(1) : [subject];
}

function once(data: Uint8Array): () => any {
  let message: unknown;
  return () => (message ??= decode(data));
}
