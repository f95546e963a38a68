import sharp from 'sharp';
import type { Picture } from '../../contracts/index.ts';

export interface DrawnFace {
  /** Middle of the face. */
  readonly x: number;
  readonly y: number;
  /** 1: about 100×130 pixels. */
  readonly scale: number;
}

const HAIR = '#2a1c14';

const face = ({ x, y, scale }: DrawnFace): string => `<g transform="translate(${x} ${y}) scale(${scale})">
  <ellipse cx="0" cy="-12" rx="62" ry="78" fill="${HAIR}"/>
  <rect x="-22" y="50" width="44" height="50" fill="#a87257"/>
  <path d="M-120 150 Q-110 95 -22 85 L22 85 Q110 95 120 150Z" fill="#345"/>
  <ellipse cx="0" cy="0" rx="50" ry="66" fill="url(#skin)"/>
  <path d="M-52 -20 Q-45 -72 0 -72 Q45 -72 52 -20 Q40 -50 0 -50 Q-40 -50 -52 -20Z" fill="${HAIR}"/>
  ${[-1, 1].map(eye).join('')}
  <path d="M-3 -8 Q-9 14 -11 18 Q-5 24 0 22 Q5 24 11 18 Q9 14 3 -8" fill="#b97f62" opacity="0.55"/>
  <ellipse cx="-5" cy="20" rx="3" ry="1.8" fill="#6b3a2a"/>
  <ellipse cx="5" cy="20" rx="3" ry="1.8" fill="#6b3a2a"/>
  <path d="M-20 38 Q-8 32 0 35 Q8 32 20 38 Q0 52 -20 38Z" fill="#a8453f"/>
  <path d="M-20 38 Q0 41 20 38" stroke="#5a1f1c" stroke-width="2" fill="none"/>
</g>`;

const eye = (side: number): string => `
  <path d="M${34 * side} -20 Q${22 * side} -28 ${9 * side} -20" stroke="${HAIR}" stroke-width="5" fill="none"/>
  <ellipse cx="${21 * side}" cy="-8" rx="10" ry="5.5" fill="#fff"/>
  <circle cx="${21 * side}" cy="-8" r="5" fill="#321"/>
  <path d="M${32 * side} -9 Q${21 * side} -17 ${10 * side} -9" stroke="#533" stroke-width="2.5" fill="none"/>`;

/** Faces drawn well enough for a detector, so that no photograph of anybody is needed. */
export async function facePicture(width: number, height: number, faces: readonly DrawnFace[]): Promise<Picture> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <defs><radialGradient id="skin" cx="0.42" cy="0.38" r="0.75"><stop offset="0" stop-color="#f2c9a8"/>
    <stop offset="0.65" stop-color="#d9a27e"/><stop offset="1" stop-color="#9a6449"/></radialGradient></defs>
    <rect width="100%" height="100%" fill="#8da0ae"/>${faces.map(face).join('')}</svg>`;
  const data = await sharp(Buffer.from(svg)).blur(1.2).jpeg({ quality: 92 }).toBuffer();
  return { encoding: 'jpeg', width, height, data: new Uint8Array(data) };
}
