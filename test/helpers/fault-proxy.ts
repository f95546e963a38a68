import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { realClock } from '../../bus/index.ts';
import type { Cancel } from '../../contracts/index.ts';

/** `up`: from those who connect to the proxy; `down`: back to them. */
export type Direction = 'up' | 'down';

interface Shape {
  cut: boolean;
  latencyMs: number;
  bytesPerS: number;
}

/** A TCP proxy on loopback: a cable that a test can pull, one way or both, lengthen and narrow. */
export interface FaultProxy {
  readonly port: number;
  /** Connections that are open now. */
  readonly connections: number;
  /** Read and not passed on yet, in both directions; bounded for each connection. */
  readonly heldBytes: number;
  /** Nothing gets through, not even the end of a connection, until `heal`; then what waits comes late and in order, as TCP repeats it. */
  cut(...directions: Direction[]): void;
  /** All connections break at once, new ones are refused until `heal`. */
  refuse(): void;
  /** Of each way, from now on: time on the way, and how many bytes a second all of a connection gets. */
  shape(shape: { latencyMs?: number; bytesPerS?: number }): void;
  /** Takes every fault back. */
  heal(): void;
  close(): Promise<void>;
}

/** Held for one direction of one connection at most, and a chunk: beyond it the sender has to wait. */
export const HELD_BYTES_MAX = 256 * 1024;

/** Starts a proxy on a free port to a port of this machine. `host`: address to listen on. */
export async function startFaultProxy(toPort: number, host = '127.0.0.1'): Promise<FaultProxy> {
  const shapes: Record<Direction, Shape> = { up: unharmed(), down: unharmed() };
  const ways = new Set<Way>();
  let refusing = false;
  const server = createServer({ pauseOnConnect: true }, socket => {
    if (refusing) socket.destroy();
    if (refusing) return;
    const far = connect(toPort, '127.0.0.1');
    const both = [new Way(socket, far, shapes.up), new Way(far, socket, shapes.down)];
    both.forEach(way => ways.add(way));
    for (const one of [socket, far]) {
      one.setNoDelay(true);
      one.on('error', () => {}); // its close follows
      one.on('close', () => {
        if (socket.closed && far.closed) both.forEach(way => ways.delete(way));
      });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
  const each = (act: (way: Way) => void): void => [...ways].forEach(act);
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return ways.size / 2;
    },
    get heldBytes() {
      return [...ways].reduce((sum, way) => sum + way.heldBytes, 0);
    },
    cut: (...directions) => {
      for (const direction of directions) shapes[direction].cut = true;
    },
    refuse: () => {
      refusing = true;
      each(way => way.destroy());
    },
    shape: shape => {
      Object.assign(shapes.up, shape);
      Object.assign(shapes.down, shape);
    },
    heal: () => {
      refusing = false;
      for (const shape of Object.values(shapes)) Object.assign(shape, unharmed());
      each(way => way.pump());
    },
    close: () => {
      each(way => way.destroy());
      return new Promise(resolve => void server.close(() => resolve()));
    },
  };
}

const unharmed = (): Shape => ({ cut: false, latencyMs: 0, bytesPerS: Infinity });

/** One direction of one connection. */
class Way {
  heldBytes = 0;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #shape: Shape;
  /** What was read, with when it arrives; without data: the sender has ended. */
  readonly #queue: { readonly data: Buffer | undefined; readonly dueMs: number }[] = [];
  #freeAtMs = 0;
  #cancel: Cancel = () => {};

  constructor(from: Socket, to: Socket, shape: Shape) {
    this.#from = from;
    this.#to = to;
    this.#shape = shape;
    from.on('data', data => this.#take(data));
    from.on('close', () => this.#take(undefined));
    to.on('drain', () => this.pump());
    to.on('close', () => this.#cancel());
    from.resume();
  }

  destroy(): void {
    this.#cancel();
    this.#queue.length = 0;
    this.heldBytes = 0;
    this.#from.destroy();
    this.#to.destroy();
  }

  #take(data: Buffer | undefined): void {
    const { latencyMs, bytesPerS } = this.#shape;
    const bytes = data?.byteLength ?? 0;
    this.#freeAtMs = Math.max(this.#freeAtMs, realClock.nowMs()) + (1000 * bytes) / bytesPerS;
    this.#queue.push({ data, dueMs: this.#freeAtMs + latencyMs });
    this.heldBytes += bytes;
    if (this.heldBytes >= HELD_BYTES_MAX) this.#from.pause();
    this.pump();
  }

  /** Passes on what is due, as far as the other side takes it. */
  pump(): void {
    this.#cancel();
    while (this.#queue.length > 0 && !this.#shape.cut && !this.#to.writableNeedDrain) {
      const { data, dueMs } = this.#queue[0]!;
      const waitMs = dueMs - realClock.nowMs();
      if (waitMs > 0) {
        this.#cancel = realClock.after(waitMs, () => this.pump());
        return;
      }
      this.#queue.shift();
      this.heldBytes -= data?.byteLength ?? 0;
      if (data === undefined) this.#to.destroySoon();
      else this.#to.write(data);
    }
    if (this.heldBytes < HELD_BYTES_MAX) this.#from.resume();
  }
}
