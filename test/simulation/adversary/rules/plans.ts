import type { BatcherBeat, HostBeat, Order, Outline, Plan } from '../../../../contracts/index.ts';
import type { Process } from '../process.ts';
import type { Report, Rule } from '../watch.ts';

/** A host that was asked to obey so long ago, and did not, can't be reached (`commitMs`, on the fastest of clocks). */
const UNREACHED_MS = 2800;

/** What one allocator process has heard. */
interface Ears {
  readonly hosts: Map<string, HostBeat>;
  readonly batchers: Map<string, { beat: BatcherBeat; atMs: number }>;
  /** `<host> <model>` → the sizes that were ever said to be warm by the host's present life. */
  readonly ready: Map<string, Set<number>>;
  /** `<host> <nonce>`: since when the host obeys, or was asked to. */
  readonly obeys: Map<string, number>;
}

/** Plans come into force one at a time, and only when their hosts have said that they are ready. */
export class PlanRules implements Rule {
  /** By epoch. */
  readonly published = new Map<number, Plan>();
  migrations = 0;
  readonly #report: Report;
  readonly #stored = new Set<number>();
  /** Whose the epoch is: which leader named it first, in a plan or an order. */
  readonly #owners = new Map<number, string>();
  readonly #ears = new Map<string, Ears>();
  /** The store may lose what it acknowledged: then leaders may name one epoch in orders, which hosts tell apart by the nonce. */
  readonly #losesClaims: boolean;

  constructor(report: Report) {
    this.#report = report;
    const { faults } = report.scenario;
    this.#losesClaims = faults.some(
      fault => fault.is === 'power-loss' || (fault.is === 'store' && fault.mood === 'forgetful'),
    );
  }

  /** Highest epoch that was ever in force. */
  get current(): Plan | undefined {
    return this.published.get(Math.max(0, ...this.published.keys()));
  }

  earsOf({ id, incarnation }: Process): Ears {
    const key = `${id} ${incarnation}`;
    let ears = this.#ears.get(key);
    if (!ears)
      this.#ears.set(key, (ears = { hosts: new Map(), batchers: new Map(), ready: new Map(), obeys: new Map() }));
    return ears;
  }

  /** Whoever reads it there follows it, even if its leader died before it could say so. */
  stored({ epoch, nonce }: Plan): void {
    this.#stored.add(epoch);
    this.#checkOwner(epoch, nonce);
  }

  #checkOwner(epoch: number, nonce: string): void {
    const owner = this.#owners.get(epoch);
    if (owner === undefined) this.#owners.set(epoch, nonce);
    else if (owner !== nonce) this.#report.broken('one-plan', `epoch ${epoch} is named by ${owner} and by ${nonce}`);
  }

  delivered(process: Process, [family, role, who = '']: readonly string[], message: () => any): void {
    if (family === 'outlines') this.#checkGrant(process, message() as Outline);
    if (family !== 'beats' || process.program.role !== 'allocator') return;
    const ears = this.earsOf(process);
    if (role === 'batcher') ears.batchers.set(who, { beat: message() as BatcherBeat, atMs: this.#report.nowMs() });
    if (role !== 'host') return;
    const beat = message() as HostBeat;
    ears.hosts.set(who, beat);
    ears.obeys.set(`${who} ${beat.nonce}`, -Infinity);
    for (const { model, state, batches } of beat.residents) {
      if (state !== 'resident') continue;
      const key = `${who} ${model}`;
      ears.ready.set(key, new Set([...(ears.ready.get(key) ?? []), ...batches]));
    }
  }

  /** A batch may be of an older plan; of one that was never in force it may not. */
  #checkGrant({ id }: Process, { batch, batcher, epoch }: Outline): void {
    if (this.published.has(epoch) || this.#stored.has(epoch)) return;
    this.#report.broken(
      'unplanned',
      `${batcher} grants ${batch} to ${id} for epoch ${epoch}, which was never in force`,
    );
  }

  sent(process: Process, [family = '', host = '']: readonly string[], message: () => any): void {
    if (family === 'orders') {
      const { epoch, nonce } = message() as Order;
      const key = `${host} ${nonce}`;
      const { obeys } = this.earsOf(process);
      if (!obeys.has(key)) obeys.set(key, this.#report.nowMs());
      if (!this.#losesClaims) this.#checkOwner(epoch, nonce);
    }
    // Announced, or told to somebody who asked for it.
    const asked = process.program.role === 'allocator' && family.startsWith('_INBOX');
    const plan = (family === 'plans' ? message() : asked ? message()?.plan : undefined) as Plan | undefined;
    if (!plan) return;
    this.#checkOwner(plan.epoch, plan.nonce);
    if (this.published.has(plan.epoch)) return;
    if (this.current && moves(this.current, plan) > 0) this.migrations++;
    this.published.set(plan.epoch, plan);
    const { ready, obeys } = this.earsOf(process);
    for (const { host, models } of plan.hosts) {
      // Else what an older leader ordered, and is still on its way, would be obeyed there. One that can't be reached is not waited for.
      if (this.#report.nowMs() - (obeys.get(`${host} ${plan.nonce}`) ?? Infinity) < UNREACHED_MS)
        this.#report.broken('early-commit', `epoch ${plan.epoch} is in force before ${host} obeys its leader`);
      for (const { model, batches } of models) {
        const warm = ready.get(`${host} ${model}`);
        if (!batches.every(batch => warm?.has(batch)))
          this.#report.broken('early-commit', `epoch ${plan.epoch} is in force before ${host} was ready with ${model}`);
      }
    }
  }
}

/** Models that a host holds in `after` and not in `before`. */
function moves(before: Plan, after: Plan): number {
  const held = new Set(before.hosts.flatMap(({ host, models }) => models.map(({ model }) => `${host} ${model}`)));
  return after.hosts.flatMap(({ host, models }) => models.filter(({ model }) => !held.has(`${host} ${model}`))).length;
}
