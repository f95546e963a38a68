import type { Frame, Result } from '../../../contracts/index.ts';
import { nameOf, readLabel } from './device.ts';

const keyOf = (stream: string, seq: number): string => `${stream}/${seq}`;

/** What frames show: cameras write the name of the frame into them, samplers something of their own. */
export class Pictures {
  readonly #shown = new Map<string, Set<string>>();

  saw(stream: string, { seq, picture }: Frame): void {
    const key = keyOf(stream, seq);
    this.#shown.set(key, (this.#shown.get(key) ?? new Set()).add(nameOf(picture)));
  }

  /** Each answer is of the picture that was asked about and of the model that gives it; each crop is answered once. */
  mistakes({ stages, stream, seq }: Result, asked?: string): string[] {
    const frame = asked ?? keyOf(stream!, seq!);
    const shown = this.#shown.get(frame) ?? new Set([frame]);
    const found: string[] = [];
    for (const [stage, results] of Object.entries(stages)) {
      const crops = new Set<string>();
      for (const { output, item, model } of results) {
        const labels =
          output.kind === 'boxes'
            ? output.boxes.map(box => box.label ?? '')
            : output.kind === 'classes'
              ? output.classes.map(of => of.label ?? '')
              : [];
        for (const label of labels) {
          const said = readLabel(label);
          if (!shown.has(said.picture.split('#')[0]!))
            found.push(`${frame}, stage ${stage}: the output is of ${label}`);
          if (said.model !== model) found.push(`${frame}, stage ${stage}: ${label} is told as the answer of ${model}`);
        }
        if (item === undefined) continue;
        const { picture = '' } = labels[0] === undefined ? {} : readLabel(labels[0]);
        if (crops.has(picture)) found.push(`${frame}, stage ${stage}: ${picture} comes twice`);
        crops.add(picture);
      }
    }
    return found;
  }
}
