import {
  describeError,
  InvalidMessageError,
  isToken,
  Plan,
  QueryDocument,
  validator,
  type KeyValueEntry,
  type Log,
  type Result,
} from '../../contracts/index.ts';
import { decodeJson } from '../../bus/index.ts';
import { compileQuery, type Query } from './query.ts';

const STREAMS_CACHED_MAX = 10_000;
const documents = validator(QueryDocument);
const plans = validator(Plan);

/** Where the inputs of a stage go, by the plan in force. */
export interface Route {
  readonly session: string;
  readonly pool: string;
  /** Its share of the objective. */
  readonly budgetMs: number;
  /** To be left for the stages behind it. */
  readonly reserveMs: number;
  /** Of that, what they can not do without. */
  readonly reserveMinMs: number;
}

/** Takes the one result of a request. */
export type Taker = (result: Result) => void;

interface Readers {
  readonly stream: string;
  readonly queries: readonly Query[];
  /** For each of the queries: where its results for this stream go. */
  readonly takers: readonly Taker[];
}

/** What the router knows of the world: queries as applied, and the plan in force. */
export class Catalog {
  readonly #log: Log;
  readonly #takerOf: (query: Query, stream: string) => Taker;
  readonly #queries = new Map<string, Query>();
  /** Queries that were applied and can't run: key → why. */
  readonly #broken = new Map<string, string>();
  #plan: Plan | undefined;
  /** Routes of each query under {@link #plan}; null where the plan doesn't serve it. */
  readonly #routes = new Map<Query, readonly Route[] | null>();
  /** Frame subject → who reads it. */
  readonly #readers = new Map<string, Readers>();

  constructor(log: Log, takerOf: (query: Query, stream: string) => Taker) {
    this.#log = log;
    this.#takerOf = takerOf;
  }

  get epoch(): number {
    return this.#plan?.epoch ?? 0;
  }

  queries(): Iterable<Query> {
    return this.#queries.values();
  }

  query(tenant: string, name: string): Query | undefined {
    return this.#queries.get(`${tenant}.${name}`);
  }

  /** Why a query that was applied can't run; undefined when it can or is unknown. */
  problemOf(tenant: string, name: string): string | undefined {
    return this.#broken.get(`${tenant}.${name}`);
  }

  /** Follows the key-value entry `queries.<tenant>.<name>`. A document that doesn't fit takes the query out of service. */
  learn(entry: KeyValueEntry): void {
    const [, tenant = '', name = ''] = entry.key.split('.');
    const key = `${tenant}.${name}`;
    this.#queries.delete(key);
    this.#broken.delete(key);
    this.#readers.clear();
    if (entry.value === undefined) return;
    try {
      this.#queries.set(key, compileQuery(tenant, name, documents.check(decodeJson(entry.value), entry.key)));
    } catch (error) {
      this.#broken.set(key, describeError(error));
      this.#log.error('a query can not run', { query: key, error: describeError(error) });
    }
  }

  /** Takes a plan of a higher epoch, or any where there was none. True when it is in force now. */
  follow(plan: Plan): boolean {
    if (this.#plan && plan.epoch <= this.#plan.epoch) return false;
    this.#plan = plan;
    this.#routes.clear();
    return true;
  }

  /** A plan as stored: JSON. @throws InvalidMessageError */
  followStored(value: Uint8Array, where: string): boolean {
    let plan: unknown;
    try {
      plan = decodeJson(value);
    } catch (error) {
      throw new InvalidMessageError({ where, path: '', detail: `is not JSON: ${describeError(error)}` });
    }
    return this.follow(plans.check(plan, where));
  }

  /** One route per stage; undefined when the plan in force doesn't serve the query as it is now. */
  routesOf(query: Query): readonly Route[] | undefined {
    const known = this.#routes.get(query);
    if (known !== undefined) return known ?? undefined;
    const planned = this.#plan?.queries.find(q => q.tenant === query.tenant && q.query === query.name);
    const routes = query.stages.map(({ name }) => planned?.stages.find(stage => stage.stage === name));
    const complete = routes.every(route => route !== undefined) ? routes : undefined;
    this.#routes.set(query, complete ?? null);
    return complete;
  }

  /** Why a known query has no routes: a sentence for people. */
  refusalOf(query: Query): string {
    const plan = this.#plan;
    if (!plan) return 'there is no plan yet; is an allocator running?';
    const refused = plan.refused.find(r => r.tenant === query.tenant && r.query === query.name);
    if (refused) return `the plan of epoch ${plan.epoch} can not serve it: ${refused.reason}`;
    return `the plan of epoch ${plan.epoch} does not know it as it is now; the next one should`;
  }

  /** Who reads the frame of this subject as it comes. A name that is no token has no readers: no result could name it. */
  readersOf(subject: string, params: () => { tenant: string; stream: string }): Readers {
    const cached = this.#readers.get(subject);
    if (cached) return cached;
    const { tenant, stream } = params();
    const sane = isToken(tenant) && isToken(stream);
    const queries = sane
      ? [...this.#queries.values()].filter(q => q.tenant === tenant && !q.durable && q.reads(stream))
      : [];
    if (this.#readers.size >= STREAMS_CACHED_MAX) this.#readers.clear();
    const readers = { stream, queries, takers: queries.map(query => this.#takerOf(query, stream)) };
    this.#readers.set(subject, readers);
    return readers;
  }
}
