#!/usr/bin/env node
import { EXIT, ganglion } from './commands/index.ts';
import { ROOM_FOR_YOUNG, runWithRoom } from './roomy.ts';
import { processIo } from './terminal/index.ts';

// A reader that has seen enough (`ganglion results | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.on('uncaughtException', error => {
  process.stderr.write(`ganglion: this should not happen: ${error.stack ?? error.message}\n`);
  process.exit(EXIT.failed);
});

const wantsRoom = process.argv[2] === 'simulate' && !process.execArgv.includes(ROOM_FOR_YOUNG);
process.exitCode = wantsRoom
  ? await runWithRoom(process.argv.slice(1))
  : await ganglion(process.argv.slice(2), processIo());

// Whatever a library left open must not keep a finished command alive.
setTimeout(() => process.exit(), 2_000).unref();
