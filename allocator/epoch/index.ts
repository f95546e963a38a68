export { epochChart, type EpochContext, type EpochEvent, type EpochSettings } from './chart.ts';
export { phaseOf, type EpochSnapshot, type Phase } from './phase.ts';
