import { intBetween, seededRandom, type Box } from '../../../../contracts/index.ts';
import { layoutOf } from './layout.ts';

/** What a synthetic broadcast shows at one instant. Nothing in it is drawn from anything but seed and time. */
export interface Truth {
  readonly timeMs: number;
  readonly home: string;
  readonly away: string;
  /** Two digits each. */
  readonly homeScore: number;
  readonly awayScore: number;
  /** Time played, MM:SS. */
  readonly clock: string;
  readonly player: string;
  readonly width: number;
  readonly height: number;
  /** Where the scoreboard has drifted to, in units of the 640×360 layout. */
  readonly driftX: number;
  readonly driftY: number;
}

interface Shape {
  /** Pixels; default 640 × 360. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** Default 1; 0 holds everything still but the texts. */
  readonly motion?: number | undefined;
}

/** One text on the picture. The box encloses its glyphs, in pixels. */
export interface Field {
  readonly name: 'home' | 'homeScore' | 'clock' | 'awayScore' | 'away' | 'player';
  readonly text: string;
  readonly box: Pick<Box, 'x' | 'y' | 'width' | 'height'>;
}

// Invented; 4–6 letters, so that every name leaves a clear gap to its neighbour on the scoreboard.
const TEAMS = [
  'LIONS',
  'COMETS',
  'FALCON',
  'RIVERS',
  'TITANS',
  'ORBIT',
  'STORM',
  'PIRATE',
  'EAGLES',
  'NOVA',
  'BISON',
  'RAPTOR',
];
const PLAYERS = [
  'KOVAREN',
  'DELMAR',
  'OSTRIN',
  'BELGARD',
  'TAREN',
  'FENNIG',
  'LORCAN',
  'MARBEC',
  'SANTEL',
  'PERUGO',
  'HALDEN',
  'RIVOLT',
];
const GAME_MS = 40 * 60_000;
const PLAY_MS = 20_000;
const PLAYER_MS = 9_000;
const SCORE_FIRST = 10;
const SCORE_LAST = 99;

/** The broadcast of `seed` at `timeMs` (≥ 0): games of 40 minutes one after the other, a possible point every 20 s. */
export function truthAt(seed: number, timeMs: number, shape: Shape = {}): Truth {
  const game = Math.floor(timeMs / GAME_MS);
  const playedMs = timeMs - game * GAME_MS;
  const teams = dice(seed, game, 1);
  const homeIndex = intBetween(teams, 0, TEAMS.length - 1);
  const awayIndex = (homeIndex + intBetween(teams, 1, TEAMS.length - 1)) % TEAMS.length;
  const [homeScore, awayScore] = scoreAt(seed, game, playedMs);
  const playedS = Math.floor(playedMs / 1000);
  const player = dice(seed, Math.floor(timeMs / PLAYER_MS), 3);
  const motion = shape.motion ?? 1;
  return {
    timeMs,
    home: TEAMS[homeIndex]!,
    away: TEAMS[awayIndex]!,
    homeScore,
    awayScore,
    clock: `${twoDigits(Math.floor(playedS / 60))}:${twoDigits(playedS % 60)}`,
    player: PLAYERS[intBetween(player, 0, PLAYERS.length - 1)]!,
    width: shape.width ?? 640,
    height: shape.height ?? 360,
    driftX: 6 * Math.sin((timeMs * motion) / 7000),
    driftY: 2 * Math.sin((timeMs * motion) / 5300),
  };
}

/** The texts on the picture with their places, in reading order. */
export const fieldsOf = (truth: Truth): Field[] =>
  layoutOf(truth).texts.map(({ name, text, box }) => ({ name, text, box }));

function scoreAt(seed: number, game: number, playedMs: number): [number, number] {
  let home = SCORE_FIRST;
  let away = SCORE_FIRST;
  for (let play = 1; play * PLAY_MS <= playedMs; play++) {
    const roll = dice(seed, game * 1000 + play, 2).next();
    if (roll < 0.35) home++;
    else if (roll < 0.7) away++;
  }
  return [Math.min(home, SCORE_LAST), Math.min(away, SCORE_LAST)];
}

/** An independent generator for each (seed, index, purpose). */
const dice = (seed: number, index: number, purpose: number) =>
  seededRandom(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b) ^ Math.imul(purpose, 0xc2b2ae35));

const twoDigits = (n: number): string => String(n).padStart(2, '0');
