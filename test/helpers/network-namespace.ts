import { execFileSync } from 'node:child_process';

/** A network namespace that a cable of its own (veth) joins to this one: the kernel's own TCP meets the fault. */
export interface NetworkNamespace {
  /** Address of this side of the cable, to listen on. */
  readonly host: string;
  /** Put before a command it runs it inside. */
  readonly enter: readonly string[];
  pull(): void;
  plugIn(): void;
  /** Nothing of it remains; processes inside have to be gone. */
  remove(): void;
}

const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });

/** Undefined where namespaces may not be made: not Linux, not root, no `ip`. */
export function openNetworkNamespace(): NetworkNamespace | undefined {
  const number = process.pid % 0x4000;
  const [name, near, far] = [`gang-${number}`, `gangn${number}`, `gangf${number}`];
  // A block of four addresses of its own for each process, from those for local use.
  const block = `10.213.${number >> 6}`;
  const [host, peer] = [1, 2].map(i => `${block}.${4 * (number & 63) + i}`) as [string, string];
  const remove = (): void => {
    try {
      ip('netns', 'del', name); // takes both ends of the cable along
    } catch {
      // It was never made.
    }
  };
  try {
    ip('netns', 'add', name);
    ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', name);
    ip('addr', 'add', `${host}/30`, 'dev', near);
    ip('link', 'set', near, 'up');
    ip('-n', name, 'addr', 'add', `${peer}/30`, 'dev', far);
    ip('-n', name, 'link', 'set', far, 'up');
  } catch {
    remove();
    return undefined;
  }
  return {
    host,
    enter: ['ip', 'netns', 'exec', name],
    pull: () => ip('link', 'set', near, 'down'),
    plugIn: () => ip('link', 'set', near, 'up'),
    remove,
  };
}
