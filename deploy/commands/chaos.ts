import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { DEFAULT_TENANT, type Picture } from '../../contracts/index.ts';
import { encodeJpeg } from '../../gpu-host/index.ts';
import { readPicture } from '../annotate/index.ts';
import { chaosReport, checkAgainst, readChaos, runChaos } from '../chaos/index.ts';
import type { Io } from '../terminal/index.ts';
import { EXIT, printJson, type ExitCode } from './program.ts';
import { readCluster } from './up.ts';

interface ChaosFlags {
  readonly nats?: string;
  readonly tenant?: string;
  readonly data?: string;
  readonly json?: boolean;
}

export function chaosCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  program
    .command('chaos')
    .argument('<scenario>', 'a cluster, a load, faults (YAML)')
    .description('Start a cluster, break its processes while frames flow, and tell what became of each request.')
    .option('--nats <url>', 'use this NATS server; only actors that are started here are broken')
    .option('--tenant <name>', 'of the streams and queries')
    .option('--data <folder>', 'for the files of NATS')
    .option('--json', 'print the verdict for programs, see docs/faults.md')
    .addHelpText(
      'after',
      `
Example:
  ganglion chaos examples/chaos/kill-hosts.yaml

Ends with 0 when no request was lost and none had two outcomes, else with 1; with 2 when the scenario is wrong.
Frames of durable queries are published until they are stored, and their results are read from the store.`,
    )
    .action(async (file: string, flags: ChaosFlags) => end(await chaos(file, flags, io)));
}

async function chaos(file: string, flags: ChaosFlags, io: Io): Promise<ExitCode> {
  const { document, complain, done } = await readChaos(file);
  const clusterFile = resolve(dirname(resolve(file)), document.cluster);
  const cluster = await readCluster(clusterFile, text => io.err(`${io.style.yellow(text)}\n`));
  const baseDir = dirname(clusterFile);
  const ownNats = flags.nats === undefined && !(cluster.nats && 'url' in cluster.nats);
  checkAgainst(document, { document: cluster, baseDir, ownNats }, complain);
  done();
  const cameras = await Promise.all(
    document.load.map(async ({ picture, ...load }) => ({
      ...load,
      picture: picture === undefined ? await grayPicture() : await readPicture(resolve(dirname(file), picture)),
    })),
  );
  let stop: () => void = () => {};
  const cancelled = new Promise<void>(resolve => (stop = resolve));
  const forget = io.onInterrupt(() => stop());
  try {
    const verdict = await runChaos({
      document,
      cluster,
      baseDir,
      cameras,
      tenant: flags.tenant ?? DEFAULT_TENANT,
      cancelled,
      note: (atMs, what) => io.err(io.style.dim(`${(atMs / 1000).toFixed(1).padStart(6)} s  ${what}\n`)),
      ...(flags.nats === undefined ? {} : { natsUrl: flags.nats }),
      ...(flags.data === undefined ? {} : { dataDir: resolve(flags.data) }),
    });
    if (flags.json) printJson(io, verdict);
    else io.out(`${chaosReport(verdict, io).join('\n')}\n`);
    return verdict.lost + verdict.doubled > 0 ? EXIT.failed : EXIT.ok;
  } finally {
    forget();
  }
}

const GRAY = { width: 640, height: 360 };

const grayPicture = (): Promise<Picture> =>
  encodeJpeg({ ...GRAY, data: new Uint8Array(3 * GRAY.width * GRAY.height).fill(128) });
