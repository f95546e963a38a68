export { connectNats, type NatsOptions } from './connect.ts';
