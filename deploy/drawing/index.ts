export { htmlPage, htmlTable, htmlTile } from './page.ts';
export { clip, escapeXml, svgText } from './svg.ts';
