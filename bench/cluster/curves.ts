import type { ScenarioDocument } from '../../deploy/simulate/index.ts';

/** ℓ(b) = α·b + β of one emulated device. Where each comes from stands with it; memory is assumed where not said. */
export interface Linear {
  readonly alphaMs: number;
  readonly betaMs: number;
  readonly batchMax: number;
  readonly persistentMB: number;
  readonly ephemeralMBPerItem: number;
  readonly provenance: string;
  readonly assumed: boolean;
}

const memory = (persistentMB: number, ephemeralMBPerItem: number, batchMax: number) => {
  return { persistentMB, ephemeralMBPerItem, batchMax };
};

export const CURVES = {
  resnet50: {
    alphaMs: 1.082,
    betaMs: 5.204,
    ...memory(180, 30, 64),
    provenance: "slope and intercept of the example in Symphony's repository (ResNet-50-like)",
    assumed: false,
  },
  stress: {
    alphaMs: 6.817,
    betaMs: 23.431,
    ...memory(200, 40, 64),
    provenance: "the stress example in Symphony's repository",
    assumed: false,
  },
  lenet5: {
    alphaMs: 0.01,
    betaMs: 0.1,
    ...memory(50, 0.2, 128),
    provenance: "assumed; the paper's table gives < 0.1 ms at batch 1",
    assumed: true,
  },
  ssd: {
    alphaMs: 3,
    betaMs: 6,
    ...memory(640, 60, 32),
    provenance: 'assumed, in line with figures of SSD-MobileNet on a 2080 Ti (about 100 ms at batch 32)',
    assumed: true,
  },
  'googlenet-car': {
    alphaMs: 0.64,
    betaMs: 1.3,
    ...memory(172, 25, 64),
    provenance: 'Inception-v1 forward 11.5 ms at batch 16 (measured, cnn-benchmarks); intercept assumed',
    assumed: true,
  },
  'vgg-face': {
    alphaMs: 3.364,
    betaMs: 2.093,
    ...memory(950, 60, 32),
    provenance: "measured on TITAN X Pascal (Nexus's repository), straight line through it",
    assumed: false,
  },
  'efficientnet-b0': {
    alphaMs: 1.08,
    betaMs: 2.204,
    ...memory(120, 20, 64),
    provenance: 'measured on GTX 1080 Ti (third party), straight line through it',
    assumed: false,
  },
} as const satisfies Readonly<Record<string, Linear>>;

export type CurveName = keyof typeof CURVES;

type ModelEntry = ScenarioDocument['models'][number];

/** The model of a scenario with such a curve; `scale`: times as slow. */
export function modelLike(curve: CurveName, name: string = curve, scale = 1): ModelEntry {
  const { alphaMs, betaMs, batchMax, persistentMB, ephemeralMBPerItem } = CURVES[curve];
  return { name, alphaMs: scale * alphaMs, betaMs: scale * betaMs, batchMax, persistentMB, ephemeralMBPerItem };
}

/**
 * A variant of a model after transfer learning of its last layer, behind the prefix that it shares with its siblings. Assumed: the suffix takes what
 * it is of ResNet-50, 1 of 54 layers for the intercept, 2 of 4,100 million multiply-adds for the slope (taken as 0.1 %), 2 of 25.6 million weights.
 */
export function variantOf(curve: CurveName, name: string): ModelEntry {
  const { alphaMs, betaMs, persistentMB } = CURVES[curve];
  const prefix = {
    name: `${curve}-trunk`,
    alphaMs: 0.999 * alphaMs,
    betaMs: (53 / 54) * betaMs,
    persistentMB: 0.92 * persistentMB,
  };
  return { ...modelLike(curve, name), prefix };
}
