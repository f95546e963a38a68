export { collectView, storedPlan, type ViewCollector } from './collect.ts';
export { groupsOf } from './groups.ts';
export { hostsTable, planLines, queriesTable, renderTop, type RenderOptions } from './render.ts';
export { isAlive, troublesOf, type HostView, type QueryView, type Seen, type Trouble, type View } from './view.ts';
