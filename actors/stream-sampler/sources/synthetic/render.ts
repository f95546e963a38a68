import { seededRandom } from '../../../../contracts/index.ts';
import type { GlyphSet } from './glyphs.ts';
import { layoutOf, type Panel, type PlacedText } from './layout.ts';
import type { Scene } from './scene.ts';
import type { Truth } from './truth.ts';

const SCROLL_PX_PER_S = 24;
/** Pixels that take their noise from one place of the supply. */
const NOISE_RUN = 4096;

/**
 * Draws one picture into `out` (uint8 [height, width, 3]): background, blobs, panels, texts, then noise over all.
 * The same scene, truth and motion give the same bytes.
 */
export function render(
  out: Uint8Array,
  scene: Scene,
  glyphs: GlyphSet,
  truth: Truth,
  options: { seed: number; motion: number },
): void {
  const movedS = (truth.timeMs / 1000) * options.motion;
  drawBackground(out, scene, truth, movedS);
  drawBlobs(out, scene, truth, movedS);
  const { panels, texts } = layoutOf(truth);
  for (const panel of panels) drawPanel(out, truth, panel);
  for (const text of texts) drawText(out, truth, glyphs, text);
  addNoise(out, scene.noise, Math.imul(options.seed + 1, 0x165667b1) ^ Math.floor(truth.timeMs));
}

function drawBackground(out: Uint8Array, scene: Scene, { width, height }: Truth, movedS: number): void {
  const shift = Math.floor((movedS * SCROLL_PX_PER_S) % width);
  for (let y = 0; y < height; y++) {
    const from = (y * scene.textureWidth + shift) * 3;
    out.set(scene.texture.subarray(from, from + width * 3), y * width * 3);
  }
}

function drawBlobs(out: Uint8Array, scene: Scene, { width, height }: Truth, movedS: number): void {
  for (const blob of scene.blobs) {
    const centreX = width * (0.5 + 0.45 * Math.sin(blob.phaseX + blob.speedX * movedS));
    const centreY = height * (0.52 + 0.25 * Math.sin(blob.phaseY + blob.speedY * movedS));
    const [red, green, blue] = blob.rgb;
    const top = Math.max(0, Math.ceil(centreY - blob.radius));
    const bottom = Math.min(height - 1, Math.floor(centreY + blob.radius));
    for (let y = top; y <= bottom; y++) {
      const half = Math.sqrt(Math.max(0, blob.radius ** 2 - (y - centreY) ** 2));
      const right = Math.min(width - 1, Math.floor(centreX + half));
      for (let x = Math.max(0, Math.ceil(centreX - half)); x <= right; x++) {
        const at = (y * width + x) * 3;
        out[at] = red;
        out[at + 1] = green;
        out[at + 2] = blue;
      }
    }
  }
}

function drawPanel(out: Uint8Array, { width, height }: Truth, panel: Panel): void {
  const left = Math.max(0, panel.x);
  const right = Math.min(width, panel.x + panel.width);
  const top = Math.max(0, panel.y);
  const bottom = Math.min(height, panel.y + panel.height);
  if (right <= left || bottom <= top) return;
  const first = (top * width + left) * 3;
  const end = first + (right - left) * 3;
  for (let at = first; at < end; at += 3) out.set(panel.rgb, at);
  for (let y = top + 1; y < bottom; y++) out.copyWithin((y * width + left) * 3, first, end);
}

function drawText(out: Uint8Array, truth: Truth, glyphs: GlyphSet, text: PlacedText): void {
  let penX = text.x;
  for (const char of text.text) {
    const glyph = glyphs.get(char);
    if (!glyph) continue;
    const left = Math.round(penX) + glyph.left;
    const top = text.baselineY - glyph.top;
    for (let row = 0; row < glyph.height; row++) {
      const y = top + row;
      if (y < 0 || y >= truth.height) continue;
      for (let column = 0; column < glyph.width; column++) {
        const coverage = glyph.coverage[row * glyph.width + column]!;
        const x = left + column;
        if (coverage === 0 || x < 0 || x >= truth.width) continue;
        const at = (y * truth.width + x) * 3;
        for (let c = 0; c < 3; c++) out[at + c]! += ((text.rgb[c]! - out[at + c]!) * coverage) / 255;
      }
    }
    penX += glyph.advancePx;
  }
}

/**
 * Runs of a fixed supply of noise, each from another place of it: cheap, and different in each picture. Brightness
 * only.
 */
function addNoise(out: Uint8Array, noise: Int8Array, seed: number): void {
  if (noise.length === 0) return;
  const random = seededRandom(seed);
  const clamped = new Uint8ClampedArray(out.buffer, out.byteOffset, out.byteLength);
  const pixels = out.length / 3;
  for (let start = 0; start < pixels; start += NOISE_RUN) {
    const from = Math.floor(random.next() * (noise.length - NOISE_RUN)) - start;
    const end = Math.min(pixels, start + NOISE_RUN);
    for (let pixel = start, at = start * 3; pixel < end; pixel++, at += 3) {
      const value = noise[from + pixel]!;
      clamped[at] = clamped[at]! + value;
      clamped[at + 1] = clamped[at + 1]! + value;
      clamped[at + 2] = clamped[at + 2]! + value;
    }
  }
}
