import { upperBoundHz } from '../bounds.ts';
import { goodputCell } from '../cells.ts';
import { CURVES, modelLike } from '../curves.ts';
import type { Lab, Setting } from '../lab.ts';
import { ratioTarget, type Cell, type Group, type RowResult, type Target } from '../results.ts';
import { NEXUS, OURS, oursBut } from '../systems.ts';

const HOSTS = 16;
/** Of the objects that are found (Loki, yolov5n). */
const CARS = 0.768;
const GAMMAS = [1, 2.58, 10];
const RUSH_HOUR = 5.46;
const EVEN = oursBut('even', 'ours, even split', { split: 'even' });
const NO_CROSS = oursBut('no-cross', 'ours, no cross-stage drop', { crossStageDrop: false });

/** A detector, then cars and faces; `gamma` objects a frame. */
export function traffic(gamma: number, objectiveMs: number, hosts = HOSTS): Setting & { boundHz: number } {
  const [cars, faces] = [CARS * gamma, (1 - CARS) * gamma];
  const boundHz = upperBoundHz(
    [
      { curve: CURVES.ssd, perFrame: 1 },
      { curve: CURVES['googlenet-car'], perFrame: cars, after: true },
      { curve: CURVES['vgg-face'], perFrame: faces, after: true },
    ],
    objectiveMs,
    hosts,
  );
  return {
    boundHz,
    name: `traffic, ${objectiveMs} ms, γ ${gamma}`,
    devices: [{ kind: 'emulated-gpu', count: hosts, memoryMB: 11_264 }],
    models: [
      { ...modelLike('ssd'), boxes: { car: cars, face: faces } },
      modelLike('googlenet-car'),
      modelLike('vgg-face'),
    ],
    queries: [
      {
        name: 'traffic',
        streams: ['cam-*'],
        objectiveMs,
        rateHz: boundHz,
        stages: {
          detect: { model: 'ssd' },
          car: { model: 'googlenet-car', from: 'detect', labels: ['car'] },
          face: { model: 'vgg-face', from: 'detect', labels: ['face'] },
        },
      },
    ],
    streams: [{ name: 'cam', count: 20, rateHz: boundHz / 20 }],
    allGiven: true,
  };
}

export async function trafficRow(lab: Lab): Promise<RowResult> {
  const groups: Group[] = [];
  for (const objectiveMs of [400, 150]) {
    const cells: Cell[] = [];
    for (const gamma of objectiveMs === 400 ? [...GAMMAS, RUSH_HOUR].sort((a, b) => a - b) : GAMMAS) {
      const { boundHz, ...setting } = traffic(gamma, objectiveMs);
      cells.push({ x: gamma, system: 'bound', value: boundHz });
      const systems = objectiveMs === 150 && gamma === 2.58 ? [OURS, EVEN, NO_CROSS, NEXUS] : [OURS, NEXUS];
      for (const system of systems)
        cells.push(await goodputCell(lab, setting, { system, x: gamma, expected: objectiveMs === 400 ? 0.93 : 0.85 }));
    }
    groups.push({ name: groupName(objectiveMs), cells });
  }
  const target = (objectiveMs: number, x: number, under: string, least: number): Target => {
    const what = `traffic, 16 GPUs, ${objectiveMs} ms, γ ${x}: ${under === 'bound' ? 'of the upper bound' : 'over Nexus'}`;
    return ratioTarget({ groups }, { what, group: groupName(objectiveMs), x, over: 'ours', under, least });
  };
  return {
    id: 'traffic',
    title: 'Traffic analysis',
    about: [
      `A detector (SSD), then GoogLeNet for cars and VGG-Face for faces (γ objects a frame, Poisson, ${100 * CARS} % of them cars); 20 cameras, ${HOSTS} emulated GPUs, all given out.`,
      `γ and its parts after Loki's detectors; γ ${RUSH_HOUR} stands for rush hour. Assumed: the curve of SSD, the intercept of GoogLeNet.`,
      'Bound: every device busy all of the time, batches as large as the best split of the objective lets them be, nobody waits.',
    ],
    unit: 'frames/s',
    xName: 'γ',
    systems: [OURS, EVEN, NO_CROSS, NEXUS, { id: 'bound', title: 'upper bound' }],
    ratios: [
      ['ours', 'nexus'],
      ['ours', 'bound'],
    ],
    drawnOver: 'bound',
    groups,
    targets: [
      ...GAMMAS.map(gamma => target(400, gamma, 'bound', 0.98)),
      ...GAMMAS.map(gamma => target(150, gamma, 'nexus', 1.08)),
    ],
    paper:
      'Nexus 534 frames/s at 400 ms, Clipper 297, TF Serving 227 on 16 GTX 1080 Ti; rush hour 264 against 146; without query analysis −19 %, without SS −22 %, without overlap −33 %.',
  };
}

const groupName = (objectiveMs: number): string => `${objectiveMs} ms`;
