import { createNetwork, decodeJson, encode, VirtualClock, type Network } from '../../../bus/index.ts';
import {
  bucketName,
  BUCKETS,
  DEFAULT_PREFIX,
  DEFAULT_TENANT,
  seededRandom,
  subjects,
  type Bus,
  type Frame,
  type Plan,
  type Random,
} from '../../../contracts/index.ts';
import { Asker } from './asker.ts';
import { Documents } from './documents.ts';
import { pictureOf } from './device.ts';
import { Links } from './links.ts';
import { Process } from './process.ts';
import { programOf } from './programs.ts';
import { actorsOf, idsOf, type Scenario } from './scenario.ts';
import { Stores } from './store.ts';
import { Vault } from './vault.ts';
import type { Mutant } from './mutants.ts';
import type { Watch } from './watch.ts';

const LINES_MAX = 400;
const CURRENT_PLAN = `${bucketName(DEFAULT_PREFIX, BUCKETS.plan)}/current`;

/** The machines, the network, the cameras: everything that a scenario can break. */
export class Cluster {
  readonly clock = new VirtualClock();
  readonly network: Network;
  readonly links: Links;
  readonly stores: Stores;
  readonly documents: Documents;
  readonly processes = new Map<string, Process>();
  readonly scenario: Scenario;
  /** Latest lines of the actors' logs. */
  readonly lines: string[] = [];
  /** Of what was stored since then, some is lost. */
  readonly lost: (sinceMs: number) => void;
  /** Rates of the cameras, times this. */
  surge = 1;
  frames = 0;
  readonly #admin: Bus;
  readonly #cameras: Bus;
  readonly #vault: Vault;
  readonly #watch: Watch;

  constructor(scenario: Scenario, watch: Watch, mutant?: Mutant) {
    const { seed } = scenario;
    this.scenario = scenario;
    this.lost = sinceMs => watch.durable.lost(sinceMs);
    this.links = new Links(this.clock, seededRandom(seed + 1));
    this.stores = new Stores(seededRandom(seed + 2));
    this.stores.onWrite = (where, { value }) => {
      if (where === CURRENT_PLAN && value) watch.plans.stored(decodeJson(value) as Plan);
    };
    this.network = createNetwork({ clock: this.clock, random: seededRandom(seed + 3), storageLatencyMs: 0.5 });
    this.network.link = packet => this.links.carry(packet);
    this.#admin = this.network.connect('admin');
    this.#cameras = this.network.connect('cameras');
    this.#watch = watch;
    this.#vault = new Vault(this.network, this.clock, watch.durable);
    this.documents = new Documents(this.#admin, this.clock, scenario);
    const rates = seededRandom(seed + 4);
    for (const id of actorsOf(scenario)) this.#add(id, watch, rates, mutant);
  }

  /** Everything starts at once; cameras run from the start. */
  async start(): Promise<void> {
    await this.clock.settle(this.documents.applyAll());
    for (const process of this.processes.values()) process.start();
    for (const stream of idsOf('cam', this.scenario.streams)) this.#film(stream, 0);
    const { extras } = this.scenario;
    if (extras.includes('durable')) await this.clock.settle(this.#vault.open());
    if (extras.includes('durable') && !extras.includes('film')) this.#vault.film();
    if (extras.includes('infer')) new Asker(this.network.connect('asker'), this.clock, this.#watch).start();
  }

  of(role: string): Process[] {
    return [...this.processes.values()].filter(process => process.program.role === role);
  }

  /** Asks the leader to take a host out, as `ganglion drain --force` does; nobody may be there to hear it. */
  drain(host: string): void {
    const to = subjects.drain.at(DEFAULT_PREFIX, {});
    void this.#admin.request(to, encode({ v: 1, host, force: true }), { timeoutMs: 2000 }).catch(() => {});
  }

  stop(): void {
    for (const process of this.processes.values()) process.kill();
  }

  #film(stream: string, seq: number): void {
    const { rateHz } = this.scenario;
    const frame: Frame = { v: 1, seq, picture: pictureOf(`${stream}/${seq}`) };
    this.#cameras.publish(subjects.frames.at(DEFAULT_PREFIX, { tenant: DEFAULT_TENANT, stream }), encode(frame));
    this.frames++;
    this.clock.after(1000 / (rateHz * this.surge), () => this.#film(stream, seq + 1));
  }

  #add(id: string, watch: Watch, rates: Random, mutant: Mutant | undefined): void {
    const { skew, seed } = this.scenario;
    const recipe = programOf(id, this.scenario, process => watch.device(process));
    const rate = 1 + skew * (2 * rates.next() - 1);
    const config = { ...recipe.config, ...mutant?.config?.(recipe.role) };
    const program = { ...recipe, config, rate, ...(mutant?.tamper ? { tamper: mutant.tamper } : {}) };
    const { clock, network, links, stores } = this;
    const around = {
      clock,
      network,
      links,
      stores,
      seed,
      tap: (process: Process) => watch.tap(process),
      log: (process: Process, level: string, message: string, facts: object) => {
        this.lines.push(`${clock.nowMs().toFixed(1)} ${level} ${process.id}: ${message} ${JSON.stringify(facts)}`);
        if (this.lines.length > 2 * LINES_MAX) this.lines.splice(0, LINES_MAX);
        watch.logged(process, level, message, facts);
      },
    };
    this.processes.set(id, new Process(id, program, around));
  }
}
