export { misfits, type JsonSchema, type Misfit } from './check.ts';
export { crossCheck, identity, nothingKnown, type Known } from './cross-check.ts';
export { DocumentsError, fieldName, formatProblem, type Path, type Problem } from './problem.ts';
export { parseDocuments, readDocuments, type Located, type ReadResult } from './read.ts';
export { didYouMean, nearest } from './suggest.ts';
export { parseYaml, type LineOf } from './yaml.ts';
