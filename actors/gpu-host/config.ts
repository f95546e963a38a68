import { DeviceSettings, Type, type Static } from '../../contracts/index.ts';

const MB = 1024 * 1024;
const count = (value: number, description: string) => Type.Integer({ minimum: 1, default: value, description });
const ms = (value: number, description: string) => Type.Number({ exclusiveMinimum: 0, default: value, description });

export const HostConfig = Type.Object(
  {
    device: Type.Union(DeviceSettings.anyOf, {
      default: { kind: 'onnx' },
      description: 'the device that this process owns; default: onnxruntime on the CPU',
    }),
    beatMs: ms(1000, 'at least so often it says how it is'),
    batchesMax: count(64, 'batches granted and not finished; more are refused'),
    residentsMax: Type.Integer({
      minimum: 1,
      maximum: 1024,
      default: 256,
      description: 'models on the device at once',
    }),
    heldBytesMax: count(1024 * MB, 'payloads and prepared inputs held; more are refused'),
    earlyHoldMs: ms(2000, 'payloads whose outline has not come are held for so long'),
    earlyBytesMax: count(64 * MB, 'payloads held whose outline has not come'),
    handOverMs: Type.Number({
      minimum: 0,
      default: 1,
      description: 'the next batch is handed to the device so long before it is expected to be free',
    }),
    overlap: Type.Boolean({
      default: true,
      description:
        'payloads are prepared when they arrive, while the device runs other batches; false: when their batch starts',
    }),
    leaveMsMax: ms(20_000, 'when leaving, what was granted has so long to finish'),
    profileSeconds: Type.Number({ exclusiveMinimum: 0, default: 20, description: 'time for measuring one model' }),
    profilesMax: count(64, 'measurements waiting; more are refused'),
  },
  { additionalProperties: false },
);
export type HostConfig = Static<typeof HostConfig>;
