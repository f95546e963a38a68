export { ALPHABETS, type AlphabetName } from './alphabet.ts';
export { fitClassifier, type FittedClassifier } from './classifier.ts';
export { labelledFiles } from './pictures.ts';
export { restrictReader, type RestrictedReader } from './reader.ts';
export { writeModelFolder } from './write.ts';
