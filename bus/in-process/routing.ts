/** Who gets one message: every plain subscriber, and one member of each queue group. */
export interface Route<S> {
  readonly plain: readonly S[];
  readonly groups: readonly { readonly queue: string; readonly members: readonly S[] }[];
}

interface Routable {
  readonly subject: string;
  readonly queue: string | undefined;
}

interface Node<S> {
  readonly children: Map<string, Node<S>>;
  /** Subscriptions whose pattern ends here, and those that end with `>` below here; each in the order they came. */
  readonly here: Set<S>;
  readonly rest: Set<S>;
}

/** Routes kept ready; subjects with ids in them (replies) would otherwise make the cache grow without end. */
const ROUTES_MAX = 8_192;

const newNode = <S>(): Node<S> => ({ children: new Map(), here: new Set(), rest: new Set() });

/** Subscriptions by pattern: a trie over tokens, with the routes of the latest subjects kept until a subscription changes. */
export class RoutingTable<S extends Routable> {
  readonly #root: Node<S> = newNode();
  readonly #routes = new Map<string, Route<S>>();

  add(subscription: S): void {
    let node = this.#root;
    const tokens = subscription.subject.split('.');
    const rest = tokens.at(-1) === '>';
    for (const token of rest ? tokens.slice(0, -1) : tokens) {
      let child = node.children.get(token);
      if (!child) node.children.set(token, (child = newNode()));
      node = child;
    }
    (rest ? node.rest : node.here).add(subscription);
    this.#routes.clear();
  }

  remove(subscription: S): void {
    const path: { node: Node<S>; token: string }[] = [];
    let node: Node<S> | undefined = this.#root;
    for (const token of subscription.subject.split('.')) {
      if (token === '>') break;
      path.push({ node, token });
      node = node.children.get(token);
      if (!node) return;
    }
    node.here.delete(subscription);
    node.rest.delete(subscription);
    for (const { node: parent, token } of path.toReversed()) {
      const child = parent.children.get(token)!;
      if (child.children.size > 0 || child.here.size > 0 || child.rest.size > 0) break;
      parent.children.delete(token);
    }
    this.#routes.clear();
  }

  route(subject: string): Route<S> {
    const known = this.#routes.get(subject);
    if (known) return known;
    const found: S[] = [];
    collect(this.#root, subject.split('.'), 0, found);
    const groups = new Map<string, S[]>();
    for (const subscription of found) {
      if (subscription.queue === undefined) continue;
      const members = groups.get(subscription.queue);
      if (members) members.push(subscription);
      else groups.set(subscription.queue, [subscription]);
    }
    const route: Route<S> = {
      plain: found.filter(subscription => subscription.queue === undefined),
      groups: [...groups].map(([queue, members]) => ({ queue, members })),
    };
    if (this.#routes.size >= ROUTES_MAX) this.#routes.clear();
    this.#routes.set(subject, route);
    return route;
  }
}

function collect<S>(node: Node<S>, tokens: readonly string[], at: number, found: S[]): void {
  if (at === tokens.length) {
    found.push(...node.here);
    return;
  }
  found.push(...node.rest);
  const same = node.children.get(tokens[at]!);
  if (same) collect(same, tokens, at + 1, found);
  const any = node.children.get('*');
  if (any) collect(any, tokens, at + 1, found);
}
