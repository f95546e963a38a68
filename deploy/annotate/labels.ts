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

/**
 * Every box of a result with the words of the stages that looked at its crop, and what was said of the whole frame.
 * A stage result names its parent (index in the previous stage) and its item (box of it), but not which stage that was: among
 * the stages with boxes the one whose parent and item exist is taken.
 */
export function labelledBoxes(result: Result): { boxes: LabelledBox[]; whole: string[] } {
  const withBoxes = Object.entries(result.stages).filter(([, all]) =>
    all.some(({ output }) => output.kind === 'boxes'),
  );
  const words = new Map<Box, string[]>();
  const whole: string[] = [];
  for (const [name, all] of Object.entries(result.stages)) {
    for (const { parent, item, output } of all) {
      const text = wordsOf(output);
      if (text === '') continue;
      if (parent === undefined || item === undefined) {
        whole.push(text);
        continue;
      }
      for (const [other, candidates] of withBoxes) {
        const from = other === name ? undefined : candidates[parent]?.output;
        const box = from?.kind === 'boxes' ? from.boxes[item] : undefined;
        if (!box) continue;
        words.set(box, [...(words.get(box) ?? []), text]);
        break;
      }
    }
  }
  const boxes = withBoxes.flatMap(([, all]) =>
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
