const AGE_MAX = 101;
const STAGES = 3;

/**
 * Soft stagewise regression (Yang et al., IJCAI'18, eq. 4): each stage refines the one before by classes whose places
 * (`index_offset`) and width (`delta`) the net adjusts.
 * @param outputs by name: { type, dims, values }
 * @returns plain data; it becomes the answer's `value`
 */
export function postprocess(outputs) {
  let age = 0;
  let width = 1;
  for (let stage = 1; stage <= STAGES; stage++) {
    const probabilities = outputs[`prob_stage_${stage}`].values;
    const offsets = outputs[`index_offset_stage${stage}`].values;
    width *= probabilities.length * (1 + outputs[`stage${stage}_delta_k`].values[0]);
    let sum = 0;
    probabilities.forEach((probability, index) => (sum += (index + offsets[index]) * probability));
    age += sum / width;
  }
  return { age: age * AGE_MAX };
}
