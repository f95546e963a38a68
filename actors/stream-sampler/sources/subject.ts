import { decode, decodeJson, looksLikeJson } from '../../../bus/index.ts';
import {
  describeError,
  GanglionError,
  InputError,
  SourceError,
  subjects,
  type BusMessage,
  type Frame,
  type Source,
} from '../../../contracts/index.ts';
import { RateGate } from '../instants.ts';
import { Latest } from './latest.ts';
import type { PictureSource, Shot, SourceSurroundings } from './source.ts';

/** Facts that a frame may carry. */
const META_MAX = 32;

type SubjectSource = Extract<Source, { kind: 'subject' }>;

/**
 * Pictures or frames that anybody publishes on a subject (as it is, without our prefix), thinned to the sampling rate.
 */
export async function openSubject(
  source: SubjectSource,
  rateHz: number,
  around: SourceSurroundings,
): Promise<PictureSource> {
  const { bus, timers, prefix, tenant, stream } = around;
  if (source.subject === subjects.frames.at(prefix, { tenant, stream })) {
    throw new SourceError(
      `source.subject is ${source.subject}, the subject that this stream is published on; name another`,
    );
  }
  const latest = new Latest<Shot | InputError>();
  const gate = new RateGate(rateHz);
  const subscription = bus.subscribe(source.subject, message => {
    if (!gate.admits(timers.nowMs())) return;
    try {
      latest.put(shotOf(message, timers.nowMs()));
    } catch (error) {
      latest.put(new InputError(`${message.subject}: ${describeError(error)}`, { cause: error }));
    }
  });
  return {
    pace: 'source',
    get missed() {
      return latest.missed;
    },
    next: async () => {
      const shot = await latest.take();
      if (shot instanceof InputError) throw shot;
      return shot;
    },
    close: async () => {
      subscription.unsubscribe();
      latest.end();
    },
  };
}

/** @throws GanglionError when the message is neither a picture nor a frame */
function shotOf(message: BusMessage, nowMs: number): Shot {
  const { picture, seq, ageMs, meta } = readFrame(message);
  return {
    // The message's bytes belong to the packet.
    picture: { ...picture, data: picture.data.slice() },
    takenMs: nowMs,
    ...(ageMs === undefined ? {} : { ageMs }),
    meta: Object.keys(meta ?? {}).length < META_MAX ? { ...meta, sourceSeq: seq } : { ...meta },
    sound: false,
  };
}

function readFrame({ data, headers, subject }: BusMessage): Frame {
  const bare = subjects.frames.bare?.(data, headers);
  if (bare) return bare;
  let message: unknown;
  try {
    message = looksLikeJson(data) ? decodeJson(data) : decode(data);
  } catch (error) {
    if (error instanceof GanglionError) throw error;
    throw new InputError('is neither a JPEG, PNG or WebP picture nor a frame', { cause: error });
  }
  return subjects.frames.message.check(message, subject);
}
