import { describeError, DeviceError, InputError, ModelError } from '../../contracts/index.ts';
import { WrongOutputError } from '../post/sound.ts';

/** An error on its way between threads: structured clone would lose its class. */
export interface Fault {
  readonly kind: 'input' | 'wrong-output' | 'model' | 'device' | 'other';
  readonly model: string;
  readonly detail: string;
}

export function toFault(error: unknown): Fault {
  const detail = describeError(error);
  if (error instanceof InputError) return { kind: 'input', model: '', detail };
  if (error instanceof ModelError) {
    const kind = error instanceof WrongOutputError ? 'wrong-output' : 'model';
    return { kind, model: error.model, detail: detail.replace(`model ${error.model}: `, '') };
  }
  if (error instanceof DeviceError) return { kind: 'device', model: '', detail };
  return { kind: 'other', model: '', detail };
}

export function fromFault({ kind, model, detail }: Fault): Error {
  if (kind === 'input') return new InputError(detail);
  if (kind === 'wrong-output') return new WrongOutputError(model, detail);
  if (kind === 'model') return new ModelError(model, detail);
  return kind === 'device' ? new DeviceError(detail) : new Error(detail);
}
