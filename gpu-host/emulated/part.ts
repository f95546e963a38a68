import { ModelError, sleep, type Clock, type Output, type Payload, type Random } from '../../contracts/index.ts';
import type { LoadedModel, ModelFiles, Prepared } from '../device.ts';
import type { Lane } from '../lane.ts';
import { checkPayload, payloadBytes } from '../payload.ts';
import type { Cores } from './cores.ts';
import { runTimeMs, type Curve } from './curve.ts';
import { pretend, type Size } from './pretend.ts';

/** What a part needs of its device. */
export interface EmulatedParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly lane: Lane;
  readonly cores: Cores;
  /** Times its curve that a run takes. */
  readonly slowness: () => number;
  /** @throws DeviceError once the device is closed */
  readonly checkOpen: () => void;
}

interface EmulatedInput extends Prepared, Size {
  readonly part: string;
}

/** A picture of unknown size (a file that nobody decoded) is taken to be so large. */
const SIZE_DEFAULT: Size = { width: 640, height: 360 };

/** A whole model, a prefix or a suffix, as far as they are alike: inputs, memory, an end. */
export interface EmulatedPart extends Omit<LoadedModel, 'run'> {
  /** @throws ModelError when they are not for this part, or too many */
  check(inputs: readonly Prepared[]): void;
  checkBatch(size: number): void;
  /** What this run takes; another one differs by chance. */
  runMs(batch: number): number;
  /** Takes the time of a run; resolves with it. */
  spend(batch: number): Promise<number>;
  answers(inputs: readonly Prepared[]): Output[];
}

export function emulatedPart(
  { id, document }: ModelFiles,
  facts: { readonly curve: Curve; readonly batchMax: number },
  parts: EmulatedParts,
): EmulatedPart {
  const { curve, batchMax } = facts;
  const { clock, random, lane, cores, slowness } = parts;
  let released = false;
  const checkUsable = (): void => {
    parts.checkOpen();
    if (released) throw new ModelError(id, 'was released');
  };
  const runMs = (batch: number): number => runTimeMs(curve, batch, random) * slowness();
  const makeInput = (bytes: number, width = SIZE_DEFAULT.width, height = SIZE_DEFAULT.height): EmulatedInput => {
    return { part: id, bytes, width, height };
  };
  const inputOf = (payload: Payload): EmulatedInput => {
    const bytes = payloadBytes(payload);
    if (payload.encoding === 'tensors' || !payload.width || !payload.height) return makeInput(bytes);
    return makeInput(bytes, payload.width, payload.height);
  };
  const checkBatch = (size: number): void => {
    checkUsable();
    if (size < 1 || size > batchMax) throw new ModelError(id, `a batch of ${size} is outside 1..${batchMax}`);
  };

  return {
    id,
    persistentBytes: curve.persistentBytes,
    ephemeralBytes: batch => curve.ephemeralBytes(batch),
    prepare: payload => {
      try {
        checkUsable();
        checkPayload(document, payload);
      } catch (error) {
        return Promise.reject(error);
      }
      const input = inputOf(payload);
      return curve.preMs > 0 ? cores.spend(curve.preMs).then(() => input) : input;
    },
    blank: () => {
      checkUsable();
      const input = makeInput(0);
      return curve.preMs > 0 ? cores.spend(curve.preMs).then(() => input) : input;
    },
    check: inputs => {
      checkBatch(inputs.length);
      for (const input of inputs as readonly EmulatedInput[])
        if (input.part !== id) throw new ModelError(id, `an input was prepared for ${input.part}`);
    },
    checkBatch,
    runMs,
    spend: async batch => {
      // Not what the clock says: that a real one rings late is no fact about the device.
      const takesMs = runMs(batch);
      await sleep(clock, takesMs);
      return takesMs;
    },
    answers: inputs => (inputs as readonly EmulatedInput[]).map(input => pretend(document, input, random)),
    release: async () => {
      if (released) return;
      released = true;
      await lane.idle();
    },
  };
}
