/**
 * Which of the live samplers reads a stream: the one with the highest weight (rendezvous hashing), so that when a
 * sampler comes or goes only the streams that it gets or had are handed over. Undefined only when there is no sampler.
 */
export function readerOf(stream: string, samplers: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestWeight = -1;
  for (const sampler of samplers) {
    const weight = hash32(`${sampler}\n${stream}`);
    if (weight > bestWeight || (weight === bestWeight && sampler < best!)) {
      best = sampler;
      bestWeight = weight;
    }
  }
  return best;
}

/** FNV-1a, then mixed (murmur3's finaliser) so that similar names spread: 0..2³²−1. */
export function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
