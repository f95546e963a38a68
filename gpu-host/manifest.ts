import { ConfigError, type ModelDocument } from '../contracts/index.ts';
import { channelsOf } from './pre/normalise.ts';

/** What fits the schema and still makes no sense. @throws ConfigError naming the field */
export function checkManifest(document: ModelDocument): void {
  const { preprocess, postprocess, emulation } = document;
  const refuse = (field: string, detail: string, remedy?: string): never => {
    throw new ConfigError(`model ${document.name}: ${detail}`, { field, remedy });
  };
  if (preprocess.kind === 'picture') {
    const channels = channelsOf(preprocess);
    for (const field of ['mean', 'std'] as const) {
      const count = preprocess[field]?.length ?? 1;
      if (count !== 1 && count !== channels)
        refuse(
          `preprocess.${field}`,
          `has ${count} values for ${channels} channels`,
          'give one for all or one for each',
        );
    }
    if (preprocess.std?.includes(0)) refuse('preprocess.std', 'divides by 0');
    for (const field of ['widthStep', 'widthUsual'] as const)
      if (preprocess[field] !== undefined && preprocess.fit !== 'pad-right')
        refuse(
          `preprocess.${field}`,
          `has no meaning with fit: ${preprocess.fit}`,
          'use fit: pad-right, or leave it out',
        );
    const { padValue = 0 } = preprocess;
    if (padValue < 0 || padValue > 255) refuse('preprocess.padValue', `${padValue} is outside 0..255`);
  }
  if (postprocess.kind === 'boxes' && postprocess.boxes === undefined && postprocess.scores !== undefined)
    refuse('postprocess.boxes', 'has to name an output where `scores` names one');
  if (preprocess.kind === 'tensors' && postprocess.kind === 'text-boxes')
    refuse('postprocess.kind', 'text-boxes are found in pictures, but the input is tensors');
  if (emulation && !(emulation.alphaMs + emulation.betaMs > 0))
    refuse('emulation', 'takes no time', 'alphaMs + betaMs must be above 0');
  for (const field of ['alphaMs', 'betaMs', 'persistentMB'] as const) {
    const part = emulation?.prefix?.[field] ?? 0;
    const whole = emulation?.[field] ?? 0;
    if (part > whole) refuse(`emulation.prefix.${field}`, `${part} is more than the ${whole} of the whole model`);
  }
  if (emulation?.prefix && !(emulation.prefix.alphaMs + emulation.prefix.betaMs > 0))
    refuse('emulation.prefix', 'takes no time', 'alphaMs + betaMs must be above 0');
}
