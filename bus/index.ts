export { realClock, systemRandom, VirtualClock } from './clocks/index.ts';
export { decode, decodeJson, encode, encodeJson, looksLikeJson, toJson } from './codec.ts';
export { createNetwork, type LinkPolicy, type Network, type NetworkOptions, type Packet } from './in-process/index.ts';
export { connectNats, type NatsOptions } from './nats/index.ts';
export { subjectMatches } from './subject-match.ts';
