import type { Io } from './io.ts';

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';

/** The terminal's alternate screen; it is given back when `leave` is called or the process exits, however it does. */
export function alternateScreen(io: Io): { draw(frame: string): void; leave(): void } {
  let inside = true;
  const leave = (): void => {
    if (!inside) return;
    inside = false;
    process.off('exit', leave);
    io.out(LEAVE);
  };
  process.on('exit', leave);
  io.out(ENTER);
  return {
    draw: frame => {
      if (inside) io.out(`\u001b[H${frame.split('\n').join('\u001b[K\n')}\u001b[J`);
    },
    leave,
  };
}
