import { memoryOf, saturatingBatch, type Share } from '../packing.ts';
import type { Packer, PlannedPool } from './pack.ts';
import type { DeviceClass } from './supply.ts';
import type { Work } from './unit.ts';

/** A work with the batch that it would have on a device of its own, and how many such devices its rate takes. */
interface Sized {
  readonly work: Work;
  readonly batch: number;
  readonly devices: number;
}

/** A device that is being filled. */
interface Open {
  readonly parts: { readonly share: Share; readonly devices: number }[];
  left: number;
}

const EPSILON = 1e-9;
/** How much less is given out when weights did not fit, and how often. */
const LESS = 0.9;
const TRIES_MAX = 60;

/**
 * The batch-oblivious scheduler that Nexus's authors gave Clipper and TensorFlow Serving (SOSP'19, section 7.1): each session gets a part
 * of the cluster in proportion to its rate over the throughput of one device within its objective, largest first. What is
 * left of a device goes to the next session: that both batches then wait for each other it doesn't see. All devices there are
 * are given out; where there are as many as needed, as many as the rates take.
 */
export const oblivious: Packer = {
  pack: (works, from) => {
    const sized = works
      .map(work => sizedOn(work, from))
      .toSorted((a, b) => b.devices - a.devices || (a.work.name < b.work.name ? -1 : 1));
    const total = sized.reduce((sum, { devices }) => sum + devices, 0);
    const count = Number.isFinite(from.count) ? from.count : Math.max(1, Math.ceil(total - EPSILON));
    let filled = fill(sized, count / total, from);
    for (let tries = 1, given = LESS; filled.length > count && tries < TRIES_MAX; tries++, given *= LESS)
      filled = fill(sized, (given * count) / total, from);
    return filled.map(device => poolOf(device, from));
  },
  least: () => 0,
};

function sizedOn(work: Work, { memoryBytes }: DeviceClass): Sized {
  const { curve, rateHz } = work;
  const batch = saturatingBatch(work, memoryBytes) ?? curve.batchMin;
  return { work, batch, devices: ((rateHz / 1000) * curve.latencyMs(batch)) / batch };
}

/** Cuts what each takes, times `scale`, off one device after the other. */
function fill(sized: readonly Sized[], scale: number, { memoryBytes }: DeviceClass): Open[] {
  const open: Open[] = [];
  for (const { work, batch, devices } of sized) {
    let left = devices * scale;
    do {
      const last = open.at(-1);
      const share: Share = { load: work, rateHz: 0, batch };
      const fits =
        last && last.left > EPSILON && memoryOf([...last.parts.map(part => part.share), share]) <= memoryBytes;
      const at = fits ? last : { parts: [], left: 1 };
      if (!fits) open.push(at);
      const part = Math.min(left, at.left);
      at.parts.push({ share: { ...share, rateHz: (work.rateHz * part) / (devices * scale) }, devices: part });
      at.left -= part;
      left -= part;
    } while (left > EPSILON);
  }
  return open;
}

function poolOf({ parts, left }: Open, from: DeviceClass): PlannedPool {
  const runMs = ({ load, batch }: Share): number => load.curve.latencyMs(batch);
  return {
    from,
    hosts: 1,
    spread: 1,
    dutyMs: parts.reduce((sum, { share }) => sum + runMs(share), 0),
    occupancy: 1 - left,
    parts: parts.map(({ share }) => ({
      unit: (share.load as Work).unit,
      rateHz: share.rateHz,
      batch: share.batch,
      latencyMs: share.load.curve.aroundMs + 2 * runMs(share),
    })),
  };
}
