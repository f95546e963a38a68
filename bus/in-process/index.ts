export type { LinkPolicy, Packet } from './link.ts';
export { createNetwork, type Network, type NetworkOptions } from './network.ts';
