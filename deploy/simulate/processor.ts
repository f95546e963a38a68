import { Session, type Profiler } from 'node:inspector/promises';

/** Between two looks at what runs, µs. */
const SAMPLE_US = 500;
/** Samples are counted up and let go this often, so that memory doesn't grow. */
const ROUNDS_MAX = 10;

/** What a run took of one processor, by whose code ran: an actor's with all that it calls, the simulator's own, memory's. */
export interface ProcessorTime {
  readonly cpuMs: number;
  /** Virtual time that it took so much for. */
  readonly virtualMs: number;
  /** Frames, for each query that reads them, in this time. */
  readonly requests: number;
  readonly kinds: readonly { readonly kind: string; readonly cpuMs: number }[];
}

/**
 * Says who takes the processor: looks every half millisecond whose code runs and gives each kind its share of the processor time of
 * the process, with what its promises and timers do. Other work on the machine interrupts all alike.
 */
export class ProcessorWatch {
  readonly #session = new Session();
  readonly #samples = new Map<string, number>();
  #rounds = 0;
  /** Processor time when it began to look, and what was used while it looked before. */
  #fromUs = 0;
  #usedUs = 0;
  #turn: Promise<void> = Promise.resolve();

  async start(): Promise<void> {
    this.#session.connect();
    await this.#session.post('Profiler.enable');
    await this.#session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US });
    await this.#begin();
  }

  /** Now and then, about once a virtual second. */
  look(): void {
    if (++this.#rounds % ROUNDS_MAX !== 0) return;
    this.#turn = this.#turn.then(async () => {
      await this.#count();
      await this.#begin();
    });
  }

  /** @returns processor time by kind */
  async stop(): Promise<Pick<ProcessorTime, 'cpuMs' | 'kinds'>> {
    await this.#turn;
    await this.#count();
    this.#session.disconnect();
    const cpuMs = this.#usedUs / 1000;
    const all = [...this.#samples.values()].reduce((sum, count) => sum + count, 0);
    const kinds = [...this.#samples]
      .map(([kind, count]) => ({ kind, cpuMs: (cpuMs * count) / Math.max(1, all) }))
      .sort((a, b) => b.cpuMs - a.cpuMs);
    return { cpuMs, kinds };
  }

  async #begin(): Promise<void> {
    await this.#session.post('Profiler.start');
    this.#fromUs = processorUs();
  }

  /** Counting up is nobody's time. */
  async #count(): Promise<void> {
    this.#usedUs += processorUs() - this.#fromUs;
    const { profile } = await this.#session.post('Profiler.stop');
    const kinds = kindsOf(profile);
    for (const id of profile.samples ?? []) {
      const kind = kinds.get(id);
      if (kind !== undefined) this.#samples.set(kind, (this.#samples.get(kind) ?? 0) + 1);
    }
  }
}

function processorUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Whose each place in the code is: of the actor that called it, however deep; undefined where nothing ran. */
export function kindsOf({ nodes }: Pick<Profiler.Profile, 'nodes'>): Map<number, string | undefined> {
  const kinds = new Map<number, string | undefined>();
  const children = new Map(nodes.map(({ id, children = [] }) => [id, children]));
  const byId = new Map(nodes.map(node => [node.id, node]));
  // No recursion: stacks may be deep.
  const open: { id: number; kind: string | undefined }[] = nodes.slice(0, 1).map(({ id }) => ({ id, kind: undefined }));
  for (let next = open.pop(); next; next = open.pop()) {
    const { functionName, url } = byId.get(next.id)!.callFrame;
    const kind = ownerOf(functionName, url) ?? next.kind;
    kinds.set(next.id, kind === undefined && functionName !== '(idle)' ? 'simulator' : kind);
    for (const id of children.get(next.id)!) open.push({ id, kind });
  }
  return kinds;
}

function ownerOf(functionName: string, url: string): string | undefined {
  if (functionName === '(garbage collector)') return 'garbage collection';
  return /\/actors\/(?!actor\/)([a-z-]+)\//.exec(url)?.[1];
}
