/** Text for XML and HTML, in attributes too. */
export const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** At most `length` characters, with … where some are left out. */
export const clip = (text: string, length: number): string =>
  text.length <= length ? text : length < 2 ? '' : `${text.slice(0, length - 1)}…`;

/** An SVG text; `look` is its class. Nothing for an empty one. */
export const svgText = (
  x: number,
  y: number,
  content: string,
  look: string,
  anchor: 'start' | 'middle' | 'end' = 'start',
): string =>
  content === ''
    ? ''
    : `<text x="${x.toFixed(1)}" y="${y}" class="${look}"${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}>${escapeXml(content)}</text>`;
