import type { DeviceSettings } from '../../contracts/index.ts';
import { withoutOverlap, type Device } from '../../gpu-host/index.ts';
import { actor } from '../actor/index.ts';
import { HostConfig } from './config.ts';
import { Host } from './host.ts';

export interface GpuHostPorts {
  /** @throws DeviceError when none of the execution providers asked for can be opened */
  openDevice(settings: DeviceSettings): Promise<Device>;
}

/** Owns one device: loads the models that it is ordered to, runs the batches that it is granted, answers the routers. */
export const gpuHost = (ports: GpuHostPorts) =>
  actor({
    name: 'gpu-host',
    version: '1.0.0',
    description: 'Owns one device: loads models, runs granted batches on it, answers the routers.',
    config: HostConfig,
    state: () => ({ host: undefined as Host | undefined }),
    start: async ctx => {
      const opened = await ports.openDevice(ctx.config.device);
      const device = ctx.config.overlap ? opened : withoutOverlap(opened, ctx.clock);
      ctx.state.host = new Host(ctx, device);
      const { kind, provider, memoryBytes } = device.report;
      ctx.log.info('device', { kind, provider, memoryMB: Math.round(memoryBytes / 1e6) });
    },
    on: {
      orders: { at: ctx => ({ host: ctx.id }), handle: (ctx, order) => ctx.state.host!.obey(order) },
      outlines: { at: ctx => ({ host: ctx.id }), handle: (ctx, outline) => ctx.state.host!.outline(outline) },
      payloads: {
        at: ctx => ({ host: ctx.id }),
        handle: (ctx, payloads, { bytes }) => ctx.state.host!.payloads(payloads, bytes),
      },
    },
    every: { beat: { everyMs: ctx => ctx.config.beatMs, run: ctx => ctx.state.host!.beat() } },
    reconnected: ctx => ctx.state.host!.beat(),
    stop: ctx => ctx.state.host!.close(),
  });
