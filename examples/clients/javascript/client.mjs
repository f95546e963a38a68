#!/usr/bin/env node
// Sends a picture to Ganglion as a frame of a stream and prints its result. Plain JavaScript: only `nats` and `msgpackr`.
//
//     node client.mjs picture.jpg [stream] [nats://host:port]
/* oxlint-disable no-console -- a command prints */
import { readFile } from 'node:fs/promises';
import { Packr } from 'msgpackr';
import { connect } from 'nats';

const [picture, stream = 'javascript', servers = 'nats://127.0.0.1:4222'] = process.argv.slice(2);
if (!picture) {
  console.error('usage: node client.mjs picture.jpg [stream] [nats://host:port]');
  process.exit(2);
}

// Without `useRecords: false` only msgpackr itself could read what it writes.
const msgpack = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true });
const nc = await connect({ servers }).catch(error => {
  console.error(`no NATS at ${servers}: ${error.message}`);
  process.exit(1);
});
const results = nc.subscribe(`ganglion.results.default.*.${stream}`, { max: 1, timeout: 10_000 });
await nc.flush();

const frame = { v: 1, seq: 1, picture: { encoding: 'jpeg', data: await readFile(picture) } };
nc.publish(`ganglion.frames.default.${stream}`, msgpack.pack(frame));

try {
  for await (const message of results) {
    const result = msgpack.unpack(message.data);
    console.log(`${result.query}: ${result.outcome} after ${result.latencyMs.toFixed(1)} ms`);
    for (const [stage, answers] of Object.entries(result.stages)) {
      for (const { output } of answers)
        console.log(`  ${stage}:`, output.text ?? output.boxes ?? output.classes ?? output);
    }
    if (result.trouble) console.log(`  ${result.trouble.at}: ${result.trouble.detail}`);
  }
} catch (error) {
  console.error(`no result within 10 s (${error.message}): does a query read stream ${stream}?`);
  process.exitCode = 1;
}
await nc.close();
