import { createActor, type ActorRefFrom } from 'xstate';
import {
  cutOf,
  describeError,
  isPrefix,
  isSuffix,
  ModelError,
  NotFoundError,
  prefixId,
  RefusedError,
  type Clock,
  type Log,
  type Resident,
  type ResidencyState,
  type StoredModel,
} from '../../contracts/index.ts';
import {
  blanksOf,
  type Device,
  type LoadedModel,
  type LoadedPrefix,
  type LoadedSuffix,
  type ModelFiles,
} from '../../gpu-host/index.ts';
import { shortage, type Claim } from './memory.ts';
import { residentChart, type Planned, type ResidentEffects } from './resident-chart.ts';

export interface ResidentsPorts {
  readonly device: Device;
  readonly log: Log;
  readonly clock: Clock;
  filesOf(stored: StoredModel): Promise<ModelFiles>;
  /** Batches and measurements that need the model. */
  usesOf(model: string): number;
  /** Residency changed: tell it, and start what waited for it. */
  changed(): void;
}

/** A part that is wanted, and the model that it is (or is taken from). */
export interface Wanted {
  readonly planned: Planned;
  readonly stored: StoredModel;
  /** Until the device knows better. */
  readonly estimated: Omit<Claim, 'lane'>;
}

/** What batches may run on now. */
export interface Usable {
  readonly loaded: LoadedModel;
  readonly batchMax: number;
  /** Of a suffix: what it runs behind. */
  readonly prefix?: { readonly loaded: LoadedPrefix; readonly batchMax: number };
}

interface Entry extends Omit<Wanted, 'planned'> {
  readonly chart: ActorRefFrom<typeof residentChart>;
  /** False while it is here for a measurement only. */
  planned: boolean;
  /** From bytes to ready, as the latest load took. */
  loadMs: number;
  /** What may run on it by itself, as its chart was seen to be. */
  own: { readonly seen: object; readonly usable: Usable | undefined } | undefined;
  /** Says what has become of it, where that is news. */
  readonly tell: () => void;
  /** What it takes, as it was reckoned for this context. */
  claimed: { readonly context: object; readonly claim: Claim } | undefined;
}

/** Only a new order brings back what is in one of these states. */
const GOING: ReadonlySet<ResidencyState> = new Set(['releasing', 'failed']);

/** The models, prefixes and suffixes on the device: one chart each, and the memory that they take together. */
export class Residents {
  readonly #ports: ResidentsPorts;
  readonly #entries = new Map<string, Entry>();
  readonly #effects: ResidentEffects;

  constructor(ports: ResidentsPorts) {
    this.#ports = ports;
    this.#effects = this.#effectsOf(ports);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The stored form of the model of a part that is here, whatever its state. */
  storedOf(part: string): StoredModel | undefined {
    return this.#entries.get(part)?.stored;
  }

  /** Here, or coming, and not about to go. */
  isStaying(part: string): boolean {
    const snapshot = this.#entries.get(part)?.chart.getSnapshot();
    return snapshot !== undefined && snapshot.context.wanted && !GOING.has(stateOf(snapshot.value));
  }

  /** The part, if batches may run on it: it is resident, or draining, and a suffix's prefix as well. */
  usable(part: string): Usable | undefined {
    const entry = this.#entries.get(part);
    const own = entry && ownNow(entry);
    if (!own || !isSuffix(part)) return own;
    const prefix = this.usable(prefixOf(part));
    return prefix && { ...own, prefix: { ...prefix, loaded: prefix.loaded as LoadedPrefix } };
  }

  /** Suffixes that a prefix must stay for. */
  suffixesOf(prefix: string): number {
    if (!isPrefix(prefix)) return 0;
    let count = 0;
    for (const [part, { chart }] of this.#entries) {
      const { value } = chart.getSnapshot();
      if (isSuffix(part) && prefixOf(part) === prefix && value !== 'failed' && value !== 'gone') count++;
    }
    return count;
  }

  /** What each part takes, were `planned` here as well. */
  claims(planned: readonly Omit<Wanted, 'stored'>[] = []): Claim[] {
    const claims = new Map<string, Claim>();
    for (const [model, entry] of this.#entries) {
      const { value } = entry.chart.getSnapshot();
      if (value !== 'failed' && value !== 'gone') claims.set(model, claimNow(entry));
    }
    for (const { planned: wanted, estimated } of planned) {
      const context = this.#entries.get(wanted.model)?.chart.getSnapshot().context;
      const batchMax = Math.max(wanted.batchMax, context?.planned.batchMax ?? 0);
      claims.set(wanted.model, claimOf({ ...wanted, batchMax }, context?.loaded, estimated));
    }
    return [...claims.values()];
  }

  /** Begins to load a part, or plans anew with one that is here. */
  prepare(wanted: Wanted): void {
    const { planned } = wanted;
    const entry = this.#entries.get(planned.model);
    if (entry) {
      entry.planned = true;
      entry.chart.send({ type: 'prepare', planned });
      this.#ports.changed();
      return;
    }
    this.#open(wanted, true);
  }

  /** A part for a measurement, loaded if need be; see {@link letGo}. @throws RefusedError when it can't be loaded */
  borrow(wanted: Wanted): Promise<{ loaded: LoadedModel; loadMs: number }> {
    const { planned } = wanted;
    const present = this.#entries.get(planned.model);
    if (!present) this.#open(wanted, false);
    else if (GOING.has(stateOf(present.chart.getSnapshot().value))) present.chart.send({ type: 'prepare', planned });
    return this.#whenUsable(planned.model);
  }

  #whenUsable(model: string): Promise<{ loaded: LoadedModel; loadMs: number }> {
    const entry = this.#entries.get(model);
    if (!entry) return Promise.reject(new RefusedError(`${model} is not here`));
    const { chart } = entry;
    return new Promise((resolve, reject) => {
      const look = (): boolean => {
        const { value, context } = chart.getSnapshot();
        const usable = this.usable(model);
        if (usable) resolve({ loaded: usable.loaded, loadMs: entry.loadMs });
        else if (value === 'failed') reject(new RefusedError(context.detail ?? `${model} could not be loaded`));
        else if (value === 'gone') reject(new RefusedError(`${model} was released`));
        else return false;
        return true;
      };
      if (look()) return;
      const watch = chart.subscribe({
        next: () => look() && watch.unsubscribe(),
        complete: () => look() || reject(new RefusedError('the host is leaving')),
      });
    });
  }

  /** A measurement is over: what no plan wants goes, or stays as `failed` to tell why it could not be measured. */
  letGo(model: string, error?: unknown): void {
    const entry = this.#entries.get(model);
    if (!entry) return;
    const failed = entry.chart.getSnapshot().value === 'failed';
    if (!entry.planned && error !== undefined && !failed) entry.chart.send({ type: 'fail', error });
    else if (!entry.planned && !failed) entry.chart.send({ type: 'release' });
    this.idle(model);
  }

  /** Everything but `keep` goes, once nothing queued needs it. */
  release(keep: ReadonlySet<string>): void {
    for (const [model, entry] of this.#entries) {
      if (keep.has(model)) entry.chart.send({ type: 'keep' });
      else entry.chart.send({ type: 'release' });
    }
    this.#ports.changed();
  }

  /** Nothing queued needs this model any more. */
  idle(model: string): void {
    const entry = this.#entries.get(model);
    // Asked after every batch: only who is about to go wants to know.
    if (entry?.chart.getSnapshot().value !== 'draining' || this.#ports.usesOf(model) > 0) return;
    entry.chart.send({ type: 'idle' });
  }

  report(): Resident[] {
    return [...this.#entries].map(([model, entry]) => {
      const { value, context } = entry.chart.getSnapshot();
      const { persistentBytes, ephemeralBytes, lane } = claimNow(entry);
      return {
        model,
        state: stateOf(value),
        batches: [...context.warmed],
        lane,
        persistentBytes,
        ephemeralBytes,
        queued: this.#ports.usesOf(model),
        ...(isSuffix(model) && context.loaded ? { wholeBytes: (context.loaded as LoadedSuffix).wholeBytes } : {}),
        ...(context.detail === undefined ? {} : { detail: context.detail }),
      };
    });
  }

  stop(): void {
    for (const { chart } of this.#entries.values()) chart.stop();
  }

  #open({ planned, stored, estimated }: Wanted, isPlanned: boolean): void {
    const { model } = planned;
    const chart = createActor(residentChart, { input: { planned, effects: this.#effects } });
    let told = '';
    const tell = (): void => {
      const { value, context } = chart.getSnapshot();
      if (value === 'gone') this.#entries.delete(model);
      const state = value === 'gone' ? 'gone' : stateOf(value);
      const telling = `${state} ${context.warmed.join()} ${context.detail ?? ''}`;
      if (telling === told) return;
      told = telling;
      if (state === 'failed') this.#ports.log.error('a model can not be served', { model, detail: context.detail });
      else this.#ports.log.info('residency', { model, state, batches: context.warmed.join() });
      if (isSuffix(model) && (state === 'failed' || state === 'gone')) this.idle(prefixOf(model));
      this.#ports.changed();
    };
    this.#entries.set(model, {
      stored,
      chart,
      tell,
      estimated,
      planned: isPlanned,
      loadMs: 0,
      own: undefined,
      claimed: undefined,
    });
    chart.subscribe(tell);
    chart.start();
    this.#ports.changed();
  }

  #effectsOf(ports: ResidentsPorts): ResidentEffects {
    const { clock, log, device } = ports;
    return {
      isUnused: model => ports.usesOf(model) === 0,
      fetch: async model => {
        const { stored } = this.#entries.get(model)!;
        const files = await ports.filesOf(stored);
        return device.report.emulated ? files : fetched(files, Object.keys(stored.files));
      },
      load: async (planned, files) => {
        const { model } = planned;
        const behind = isSuffix(model) ? await this.#whenUsable(prefixOf(model)) : undefined;
        const startedMs = clock.nowMs();
        const loaded = await this.#load(planned, files, behind?.loaded as LoadedPrefix | undefined);
        const entry = this.#entries.get(model);
        if (entry) entry.loadMs = clock.nowMs() - startedMs;
        const short = this.#shortageWith(model, loaded);
        if (short === undefined) return loaded;
        await loaded.release();
        throw new ModelError(model, `does not fit: ${short}`);
      },
      warm: async (model, loaded, { cold, warmed }, signal) => {
        for (const batch of cold) {
          if (signal.aborted) return;
          await loaded.run(await blanksOf(loaded, batch));
          if (signal.aborted) return;
          warmed.push(batch);
          warmed.sort((a, b) => a - b);
          this.#entries.get(model)?.tell();
        }
      },
      unload: (model, loaded) =>
        loaded
          .release()
          .catch(error => log.warn('a model could not be unloaded', { model, error: describeError(error) })),
    };
  }

  #load({ model: part, tensors }: Planned, files: ModelFiles, prefix?: LoadedPrefix): Promise<LoadedModel> {
    const { device } = this.#ports;
    const { batchMax } = files.document;
    if (prefix) return prefix.loadSuffix(files, { batchMax });
    if (isPrefix(part)) return device.loadPrefix(files, { cut: cutOf(part)!, tensors, batchMax });
    return device.load(files, { batchMax });
  }

  /** The memory condition again, now that the device knows what this model takes. */
  #shortageWith(model: string, loaded: LoadedModel): string | undefined {
    const claims = [...this.#entries].flatMap(([id, { chart, estimated }]) => {
      const { value, context } = chart.getSnapshot();
      if (value === 'failed' || value === 'gone') return [];
      return [claimOf(context.planned, id === model ? loaded : context.loaded, estimated)];
    });
    return shortage(claims, this.#ports.device.report.memoryBytes);
  }
}

const prefixOf = (suffix: string): string => prefixId(cutOf(suffix)!);

const claimOf = (planned: Planned, loaded: LoadedModel | undefined, estimated: Omit<Claim, 'lane'>): Claim => ({
  persistentBytes: loaded?.persistentBytes ?? estimated.persistentBytes,
  ephemeralBytes: loaded?.ephemeralBytes(planned.batchMax) ?? estimated.ephemeralBytes,
  lane: planned.lane,
});

/** What may run on it now, its prefix aside: asked for several times a batch, and seldom another. */
function ownNow(entry: Entry): Usable | undefined {
  const seen = entry.chart.getSnapshot();
  if (entry.own?.seen !== seen) {
    const { loaded, planned } = seen.context;
    const may = stateOf(seen.value) === 'resident' || seen.value === 'draining';
    entry.own = { seen, usable: may ? { loaded: loaded!, batchMax: planned.batchMax } : undefined };
  }
  return entry.own.usable;
}

/** What it takes now: asked for with every beat, and seldom another. */
function claimNow(entry: Entry): Claim {
  const { context } = entry.chart.getSnapshot();
  if (entry.claimed?.context !== context)
    entry.claimed = { context, claim: claimOf(context.planned, context.loaded, entry.estimated) };
  return entry.claimed.claim;
}

/** As it is told in beats. */
function stateOf(value: ReturnType<ActorRefFrom<typeof residentChart>['getSnapshot']>['value']): ResidencyState {
  if (typeof value === 'object') return 'resident';
  if (value === 'draining' || value === 'released' || value === 'gone') return 'releasing';
  return value;
}

/** Reads every file once, before the device is asked to load. */
async function fetched(files: ModelFiles, names: readonly string[]): Promise<ModelFiles> {
  const contents = new Map<string, Uint8Array>();
  for (const name of names) contents.set(name, await files.read(name));
  return {
    id: files.id,
    document: files.document,
    read: async name => {
      const content = contents.get(name);
      if (!content) throw new NotFoundError(`file ${name} of model ${files.id}`);
      return content;
    },
  };
}
