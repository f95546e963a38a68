export { DurableIntake } from './intake.ts';
