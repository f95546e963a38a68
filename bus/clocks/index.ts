export { realClock, systemRandom } from './real-clock.ts';
export { VirtualClock } from './virtual-clock.ts';
