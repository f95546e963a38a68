import { cpus, loadavg, totalmem } from 'node:os';
import { findNatsServer, natsServerVersion } from '../../deploy/nats-server.ts';

/** Where a measurement was taken, in one line; the load average tells whether the machine was quiet when it began. */
export function machine(): string {
  const [cpu] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const server = natsServerVersion(findNatsServer());
  return (
    `${cpus().length} cores (${cpu?.model.trim()}), ${gigabytes} GB, ${process.platform}, Node ${process.version}, ` +
    `nats-server ${server}, load average ${loadavg()[0]!.toFixed(1)} at the start`
  );
}
