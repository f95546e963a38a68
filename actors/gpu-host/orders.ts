import {
  cutOf,
  describeError,
  isPrefix,
  isSuffix,
  modelOf,
  NotFoundError,
  prefixId,
  type Order,
  type OrderReply,
  type Profile,
  type StoredModel,
} from '../../contracts/index.ts';
import type { Device } from '../../gpu-host/index.ts';
import { readModel, readProfile, type Storage } from './catalog.ts';
import { admit, NO_FENCE, type Fence } from './fence.ts';
import { estimate, shortage } from './memory.ts';
import type { Profiling } from './profiling.ts';
import type { Residents, Wanted } from './residents.ts';

type Reason = Extract<OrderReply, { accepted: false }>['reason'];
type Prepare = Extract<Order, { verb: 'prepare' }>;
type Measure = Extract<Order, { verb: 'profile' }>;

export interface OrdersPorts {
  readonly device: Device;
  readonly storage: Storage;
  readonly residents: Residents;
  readonly profiling: Profiling;
  readonly residentsMax: number;
  leaving(): boolean;
  /** `withinMs`: until then, and in time before that. */
  leave(reason: string, withinMs: number): void;
  /** The plan that is obeyed changed. */
  changed(): void;
}

const ACCEPTED: OrderReply = { v: 1, accepted: true };
const refused = (reason: Reason, detail: string): OrderReply => ({
  v: 1,
  accepted: false,
  reason,
  detail: detail.slice(0, 1024),
});

/** The allocator's orders, one after the other: fenced, checked, begun. Their completion shows in the beats. */
export class Orders {
  readonly #ports: OrdersPorts;
  #fence: Fence = NO_FENCE;
  #previous: Promise<unknown> = Promise.resolve();

  constructor(ports: OrdersPorts) {
    this.#ports = ports;
  }

  get fence(): Fence {
    return this.#fence;
  }

  obey(order: Order): Promise<OrderReply> {
    const reply = this.#previous.then(() => this.#obey(order));
    this.#previous = reply.catch(() => {});
    return reply;
  }

  async #obey(order: Order): Promise<OrderReply> {
    const fence = admit(this.#fence, order);
    if (!fence) {
      const { epoch, nonce } = this.#fence;
      return refused(
        'fenced',
        `epoch ${epoch} of leader ${nonce} is obeyed here, not ${order.epoch} of ${order.nonce}`,
      );
    }
    const news = fence.epoch !== this.#fence.epoch || fence.nonce !== this.#fence.nonce;
    this.#fence = fence;
    if (news) this.#ports.changed();
    if (order.verb === 'leave') {
      this.#ports.leave(`ordered by epoch ${order.epoch}`, order.withinMs ?? 0);
      return ACCEPTED;
    }
    if (this.#ports.leaving()) return refused('leaving', 'this host is on its way out');
    try {
      if (order.verb === 'prepare') return await this.#prepare(order);
      if (order.verb === 'profile') return await this.#measure(order);
    } catch (error) {
      return refused(error instanceof NotFoundError ? 'unknown-model' : 'failed', describeError(error));
    }
    this.#ports.residents.release(new Set(order.keep));
    return ACCEPTED;
  }

  async #prepare({ models }: Prepare): Promise<OrderReply> {
    const { device, residents, residentsMax } = this.#ports;
    const wanted: Wanted[] = [];
    for (const planned of models) {
      const { batchMax } = planned;
      const { stored, profile } = await this.#lookUp(planned.model, planned.of);
      const { batchMax: most } = stored.document;
      const tooLarge = [batchMax, ...planned.batches].find(batch => batch > most);
      if (tooLarge !== undefined) {
        return refused('failed', `${planned.model} takes batches of at most ${most}, ${tooLarge} was planned`);
      }
      const { tensors } = planned;
      const estimated = estimate(planned.model, stored, profile, {
        batchMax,
        emulated: device.report.emulated,
        tensors,
      });
      wanted.push({ planned, stored, estimated });
    }
    const ids = new Set(models.map(({ model }) => model));
    const loose = models.find(({ model }) => isSuffix(model) && !this.#hasPrefix(model, ids));
    if (loose) return refused('failed', `${loose.model} needs its prefix, which is neither here nor ordered`);
    const added = wanted.filter(({ planned }) => !residents.storedOf(planned.model)).length;
    if (residents.size + added > residentsMax) {
      return refused('memory', `${residents.size} models are here, ${residentsMax} may be (residentsMax)`);
    }
    const short = shortage(residents.claims(wanted), device.report.memoryBytes);
    if (short) return refused('memory', short);
    if (this.#ports.leaving()) return refused('leaving', 'this host is on its way out');
    for (const one of wanted) residents.prepare(one);
    return ACCEPTED;
  }

  #hasPrefix(suffix: string, ordered: ReadonlySet<string>): boolean {
    const prefix = prefixId(cutOf(suffix)!);
    return ordered.has(prefix) || this.#ports.residents.isStaying(prefix);
  }

  async #measure(order: Measure): Promise<OrderReply> {
    const { device, residents, profiling } = this.#ports;
    const part = order.model;
    const { stored, profile } = await this.#lookUp(part, order.of);
    const batchMax = Math.min(order.batchMax, stored.document.batchMax);
    // A suffix is measured behind its prefix, which is loaded for that where it isn't here.
    const needed = isSuffix(part) ? [prefixId(cutOf(part)!), part] : [part];
    const wanted = needed.map((model): Wanted => {
      const known = model === part ? profile : undefined;
      const { tensors } = order;
      const estimated = estimate(model, stored, known, { batchMax, emulated: device.report.emulated, tensors });
      return { planned: { model, tensors, lane: 0, batches: [], batchMax }, stored, estimated };
    });
    const missing = wanted.filter(({ planned }) => !residents.usable(planned.model));
    const short = missing.length > 0 ? shortage(residents.claims(missing), device.report.memoryBytes) : undefined;
    if (short) return refused('memory', short);
    if (profiling.order({ part, batchMax, wanted })) return ACCEPTED;
    return refused('busy', 'too many models wait to be measured; order it again later');
  }

  /**
   * The model of a part (of a prefix: one to take it from) and the part's profile. One that is here needs not be the one applied
   * now: it stays while it is asked for.
   */
  async #lookUp(part: string, of: string | undefined): Promise<{ stored: StoredModel; profile: Profile | undefined }> {
    const { storage, residents, device } = this.#ports;
    const here = residents.storedOf(part);
    if (here && residents.usable(part)) return { stored: here, profile: undefined };
    const model = isPrefix(part) ? of : modelOf(part);
    if (model === undefined) throw new NotFoundError(`a model for ${part}`, 'the order must name one to take it from');
    const stored = here ?? (await readModel(storage, model));
    return { stored, profile: await readProfile(storage, part, device.report.kind) };
  }
}
