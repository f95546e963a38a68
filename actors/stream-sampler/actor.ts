import { actor, type ActorContext } from '../actor/index.ts';
import { BUCKETS, describeError, Type, type Static } from '../../contracts/index.ts';
import { sharpPixels, type Pixels } from './pixels.ts';
import { StreamSet } from './stream-set.ts';
import { sourceOpener, type OpenSource } from './sources/index.ts';

/** What reaches outside of the bus; the defaults are the real things. */
export interface SamplerPorts {
  readonly pixels?: Pixels;
  readonly openSource?: OpenSource;
}

const SamplerConfig = Type.Object(
  {
    ffmpeg: Type.String({ default: 'ffmpeg', description: 'path or name of the ffmpeg program' }),
    streamsMax: Type.Integer({
      default: 1024,
      minimum: 1,
      maximum: 1024,
      description: 'streams read at once, at most',
    }),
    listenMs: Type.Number({
      default: 1200,
      minimum: 0,
      maximum: 60_000,
      description: 'at start: how long to listen for other samplers before taking shared streams',
    }),
  },
  { additionalProperties: false },
);
export type SamplerContext = ActorContext<Static<typeof SamplerConfig>, StreamSet>;

/**
 * Between the first beat and taking streams: samplers that start together hear each other, the former reader lets go.
 */
const SETTLE_MS = 300;
const STORAGE_RETRY_MS = 1000;

/** Reads video sources and publishes frames; any number of samplers share the streams. */
export const streamSampler = (ports: SamplerPorts = {}) =>
  actor({
    name: 'stream-sampler',
    version: '1.0.0',
    description: 'Reads video sources, samples them at a rate, skips what did not change, publishes frames.',
    config: SamplerConfig,
    state: () => new StreamSet({ pixels: ports.pixels ?? sharpPixels, openSource: ports.openSource ?? sourceOpener() }),
    on: {
      samplerBeats: {
        handle: (ctx, beat, { params }) => {
          if (params.sampler !== ctx.id) ctx.state.heard(params.sampler, beat);
        },
      },
    },
    every: { beat: { everyMs: 1000, run: ctx => ctx.state.tick() } },
    start: ctx => {
      ctx.state.begin(ctx);
      ctx.spawn('watching the stream documents', () => watchDocuments(ctx));
      ctx.after(ctx.config.listenMs, () => {
        ctx.state.announce();
        ctx.after(SETTLE_MS, () => ctx.state.share());
      });
    },
    reconnected: ctx => ctx.state.beat(),
    stop: ctx => ctx.state.leave(),
  });

/** The watch itself outlives reconnects; opening it needs storage, which may come later than we do. */
async function watchDocuments(ctx: SamplerContext): Promise<void> {
  let told = '';
  while (!ctx.state.leaving) {
    try {
      const config = await ctx.keyValue(BUCKETS.config);
      ctx.state.unwatch = await config.watch('streams.>', entry => ctx.state.changed(entry));
      if (ctx.state.leaving) ctx.state.unwatch();
      return;
    } catch (error) {
      const detail = describeError(error);
      if (detail !== told)
        ctx.log.warn('the stream documents can not be read yet; trying again each second', { detail });
      told = detail;
      await new Promise<void>(resolve => {
        ctx.after(STORAGE_RETRY_MS, resolve);
        ctx.state.onLeave = resolve;
      });
    }
  }
}
