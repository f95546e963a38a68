import { normal, seededRandom, type Random } from '../../../../contracts/index.ts';

/** What stands behind the texts: a scrolling texture with shapes that move on it, and a supply of noise. */
export interface Scene {
  readonly textureWidth: number;
  readonly textureHeight: number;
  /** uint8 [textureHeight, textureWidth, 3]; twice as wide as the picture, seamless at half its width. */
  readonly texture: Uint8Array;
  readonly noise: Int8Array;
  readonly blobs: readonly Blob[];
}

interface Blob {
  readonly rgb: readonly [number, number, number];
  readonly radius: number;
  /** Lissajous paths: phase and angular speed (rad/s) on each axis. */
  readonly phaseX: number;
  readonly phaseY: number;
  readonly speedX: number;
  readonly speedY: number;
}

const NOISE_BYTES = 1 << 18;

export function makeScene(options: { seed: number; width: number; height: number; noise: number }): Scene {
  const { width, height } = options;
  const random = seededRandom(Math.imul(options.seed + 1, 0x27d4eb2f));
  const spread = options.noise * 255;
  const noise = new Int8Array(options.noise > 0 ? NOISE_BYTES : 0);
  for (let i = 0; i < noise.length; i++) noise[i] = Math.max(-128, Math.min(127, Math.round(normal(random) * spread)));
  return {
    textureWidth: 2 * width,
    textureHeight: height,
    texture: makeTexture(random, width, height),
    noise,
    blobs: Array.from({ length: 8 }, () => makeBlob(random, height)),
  };
}

/** A green field in mown stripes with soft light and dark spots. */
function makeTexture(random: Random, width: number, height: number): Uint8Array {
  const texture = new Uint8Array(2 * width * height * 3);
  const waves = Array.from({ length: 4 }, () => ({
    x: (1 + Math.floor(random.next() * 6)) * ((2 * Math.PI) / width),
    y: (0.5 + random.next() * 4) * ((2 * Math.PI) / height),
    phase: random.next() * 2 * Math.PI,
  }));
  const stripePx = width / 10;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const stripe = Math.floor(x / stripePx) % 2 === 0 ? 10 : -10;
      let light = stripe - 20 * (y / height);
      for (const wave of waves) light += 7 * Math.sin(x * wave.x + y * wave.y + wave.phase);
      const at = (y * 2 * width + x) * 3;
      const again = at + width * 3;
      texture[at] = texture[again] = 62 + light * 0.7;
      texture[at + 1] = texture[again + 1] = 122 + light;
      texture[at + 2] = texture[again + 2] = 66 + light * 0.6;
    }
  }
  return texture;
}

const makeBlob = (random: Random, height: number): Blob => ({
  rgb: [40 + random.next() * 180, 40 + random.next() * 140, 40 + random.next() * 180],
  radius: Math.max(2, (0.03 + 0.04 * random.next()) * height),
  phaseX: random.next() * 2 * Math.PI,
  phaseY: random.next() * 2 * Math.PI,
  speedX: 0.2 + 0.6 * random.next(),
  speedY: 0.2 + 0.6 * random.next(),
});
