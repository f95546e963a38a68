/** What others do, to compare with. Each names its source. */
export { aimd } from './aimd.ts';
export { nexus } from './nexus.ts';
export { optionsOf } from './options.ts';
export { timeout } from './timeout.ts';
