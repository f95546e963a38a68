export { formatAge, formatBytes, formatCount, formatMs, formatPercent, formatRate } from './format.ts';
export { processIo, type Io } from './io.ts';
export { bar, progressLine } from './progress.ts';
export { alternateScreen } from './screen.ts';
export { cut, padEnd, styleFor, visibleWidth, type Paint, type Style } from './style.ts';
export { table, type Column } from './table.ts';
