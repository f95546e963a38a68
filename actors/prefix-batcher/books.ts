import { ById } from './by-id.ts';
import type { Invocation, RouterBook } from './invocation.ts';

/** What waits, by the router that holds its payload: an id is taken once, however often it is offered. */
export class Books {
  readonly #books = new Map<string, RouterBook>();
  #size = 0;

  /** Invocations in all books. */
  get size(): number {
    return this.#size;
  }

  of(router: string): RouterBook {
    let book = this.#books.get(router);
    if (!book) {
      book = { router, place: 0, waiting: new ById() };
      this.#books.set(router, book);
    }
    return book;
  }

  find(router: string, id: number): Invocation | undefined {
    return this.#books.get(router)?.waiting.get(id);
  }

  /** The id must not be in its book. */
  enter(item: Invocation): void {
    item.book.waiting.add(item);
    this.#size++;
  }

  strike(item: Invocation): void {
    if (item.book.waiting.delete(item.id)) this.#size--;
  }

  /** Forgets routers that hold nothing. */
  prune(): void {
    for (const [router, { waiting }] of this.#books) if (waiting.size === 0) this.#books.delete(router);
  }
}
