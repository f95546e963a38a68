/** The colour of the i-th of several things: neighbours are far apart in hue. */
export const colourOf = (i: number): string =>
  `hsl(${Math.round((212 + i * 137.508) % 360)} ${i % 2 === 0 ? 58 : 46}% ${56 - 8 * (Math.floor(i / 8) % 3)}%)`;

/** What the others are held against. */
export const GREY = 'hsl(215 8% 62%)';

/** `line` parts, `rule` lies behind figures, `track` is what could be filled, `alarm` is a limit or a fault. */
interface Theme {
  readonly ink: string;
  readonly dim: string;
  readonly line: string;
  readonly rule: string;
  readonly track: string;
  readonly page: string;
  readonly card: string;
  readonly alarm: string;
}

export const LIGHT: Theme = {
  ink: '#1c2430',
  dim: '#66707e',
  line: '#dfe3e8',
  rule: '#e7eaee',
  track: '#eef0f3',
  page: '#ffffff',
  card: '#f6f7f9',
  alarm: '#c0392b',
};

export const DARK: Theme = {
  ink: '#e6e9ee',
  dim: '#98a2b1',
  line: '#2f3743',
  rule: '#29303a',
  track: '#232a33',
  page: '#151a21',
  card: '#1d232c',
  alarm: '#ff8a75',
};
