export { htmlPage, htmlTable, htmlTile } from './page.ts';
export { colourOf, DARK, GREY, LIGHT } from './palette.ts';
export { clip, escapeXml, svgText } from './svg.ts';
