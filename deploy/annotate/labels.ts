import type { Box, Output, Result } from '../../contracts/index.ts';

/** A box on the picture and what the stages behind it said of it. */
interface LabelledBox {
  readonly box: Box;
  /** Its label first, then the answers of later stages, e.g. `person 0.93 · LIONS`. */
  readonly text: string;
}

const percent = (score: number): string => score.toFixed(2);

/** An answer in a few words; empty for boxes and tensors. */
function wordsOf(output: Output): string {
  if (output.kind === 'text') return output.text;
  if (output.kind === 'classes') {
    const [best] = output.classes;
    return best ? `${best.label ?? `class ${best.index}`} ${percent(best.score)}` : '';
  }
  return output.kind === 'custom' && typeof output.value === 'string' ? output.value : '';
}

/** Every box of a result with the words of the stages that looked at its crop, and what was said of the whole frame. */
export function labelledBoxes(result: Result): { boxes: LabelledBox[]; whole: string[] } {
  const stages = Object.values(result.stages);
  const words = new Map<Box, string[]>();
  const whole: string[] = [];
  for (const { from, parent, item, output } of stages.flat()) {
    const text = wordsOf(output);
    if (text === '') continue;
    const origin = result.stages[from ?? '']?.[parent ?? -1]?.output;
    const box = origin?.kind === 'boxes' ? origin.boxes[item ?? -1] : undefined;
    if (box) words.set(box, [...(words.get(box) ?? []), text]);
    else whole.push(text);
  }
  const withBoxes = stages.filter(all => all.some(({ output }) => output.kind === 'boxes'));
  const boxes = withBoxes.flatMap(all =>
    all.flatMap(({ output }) =>
      output.kind === 'boxes'
        ? output.boxes.map(box => {
            const label = box.label === undefined ? [] : [`${box.label} ${percent(box.score)}`];
            return { box, text: [...label, ...(words.get(box) ?? [])].join(' · ') };
          })
        : [],
    ),
  );
  return { boxes, whole };
}
