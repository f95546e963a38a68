/**
 * 0 … count−1 in an order in which each comes after what it needs, otherwise as they are; undefined where they need each other
 * in a circle. Depth-first without recursion: chains may be long.
 */
export function topological(count: number, needsOf: (index: number) => Iterable<number>): number[] | undefined {
  const order: number[] = [];
  const OPEN = 1;
  const DONE = 2;
  const state = new Uint8Array(count);
  const stack: { readonly index: number; readonly needs: Iterator<number> }[] = [];
  const open = (index: number): void => {
    state[index] = OPEN;
    stack.push({ index, needs: needsOf(index)[Symbol.iterator]() });
  };
  for (let start = 0; start < count; start++) {
    if (state[start] !== DONE) open(start);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const { done, value } = top.needs.next();
      if (done) {
        state[top.index] = DONE;
        order.push(top.index);
        stack.pop();
      } else if (state[value] === OPEN) return undefined;
      else if (state[value] !== DONE) open(value);
    }
  }
  return order;
}
