import type { Io } from './io.ts';
import { cut } from './style.ts';

const CELLS = '▏▎▍▌▋▊▉█';

/** A bar of `width` columns for a share of 0..1. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  const full = Math.floor(eighths / 8);
  const rest = eighths % 8;
  return (CELLS[7]!.repeat(full) + (rest === 0 ? '' : CELLS[rest - 1]!)).padEnd(width, '·');
}

/** One line on standard error that is drawn over itself on a terminal; elsewhere nothing but the end is said. */
export function progressLine(io: Io): { update(share: number, text: string): void; end(text?: string): void } {
  const live = io.errIsTerminal;
  return {
    update: (share, text) => {
      if (live)
        io.err(
          `\r\u001b[2K${cut(`${bar(share, 24)} ${String(Math.round(share * 100)).padStart(3)} %  ${text}`, io.width)}`,
        );
    },
    end: text => {
      if (live) io.err('\r\u001b[2K');
      if (text !== undefined) io.err(`${text}\n`);
    },
  };
}
