import { connect } from 'nats';

/** A process of its own that answers plain nats.js requests: the yardstick. Arguments: URL. Says "ready" over IPC. */
const nc = await connect({ servers: process.argv[2]!, noAsyncTraces: true });
const answer = new Uint8Array(100);
nc.subscribe('bench.echo', { callback: (_error, message) => void message.respond(answer) });
await nc.flush();
process.send?.('ready');
process.once('disconnect', () => void nc.close());
