import type { ModelFigures, StudiedGroup } from './study.ts';

/** A stretch of a river: how wide it is where it begins, and from there on. */
export interface Reach {
  readonly x: number;
  /** Half of its width, pixels. */
  readonly half: number;
}

export interface Branch {
  readonly name: string;
  readonly y: number;
  /** Where it left the trunk before it, and where it runs level. */
  readonly from: { readonly x: number; readonly y: number; readonly half: number };
  readonly reaches: readonly Reach[];
  readonly end: number;
}

/** A trunk with what grows out of it. Pixels. */
export interface Trunk extends Branch {
  readonly group: StudiedGroup;
  readonly trunks: readonly Trunk[];
  readonly leaves: readonly Branch[];
}

export interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly row: number;
  /** Room that a bend takes. */
  readonly bend: number;
}

const HALF = { min: 1.5, max: 19 } as const;
/** Between proportional to the bytes, where only the widest would be seen, and to their logarithm, where all look alike. */
const POWER = 0.35;
const BRANCH_MIN = 56;

/** Half the width of a river in pixels, of the bytes that cross there; the widest place of all models is given. */
function widthScale(models: readonly ModelFigures[]): (bytes: number) => number {
  const widest = models.reduce((most, { narrows }) => narrows.reduce((a, b) => Math.max(a, b.bytes), most), 1);
  return bytes => Math.max(HALF.min, HALF.max * (bytes / widest) ** POWER);
}

/** Rows that a group takes: one for each member, those of inner groups side by side. */
export const leavesOf = ({ group, inner }: StudiedGroup): string[] => {
  const within = inner.map(leavesOf);
  return [...within.flat(), ...group.members.filter(member => !within.some(names => names.includes(member)))];
};

/**
 * Places a group: along x goes the compute, each branch on a row of its own, trunks in the middle of what grows out of them. A branch
 * shorter than what can be seen is drawn longer.
 */
export function placeGroup(group: StudiedGroup, models: readonly ModelFigures[], frame: Frame): Trunk {
  const byName = new Map(models.map(model => [model.name, model]));
  const half = widthScale(models);
  const rows = new Map(leavesOf(group).map((name, i) => [name, frame.top + (i + 0.5) * frame.row]));
  const depth = depthOf(group);
  const longest = Math.max(...group.group.members.map(name => byName.get(name)!.cost), 1);
  const room = frame.right - frame.left - depth * frame.bend - BRANCH_MIN;
  const scale = room / longest;
  const reachesOf = (name: string, fromCost: number, toCost: number, at: number): Reach[] =>
    byName
      .get(name)!
      .narrows.filter(({ cost }) => cost >= fromCost && cost <= toCost)
      .map(({ cost, bytes }) => ({ x: at + (cost - fromCost) * scale, half: half(bytes) }));
  const place = (
    studied: StudiedGroup,
    from: { x: number; y: number; half: number; cost: number },
    root: boolean,
  ): Trunk => {
    const own = leavesOf(studied).map(name => rows.get(name)!);
    const y = (own[0]! + own.at(-1)!) / 2;
    const x = root ? from.x : from.x + frame.bend;
    const cost = studied.group.cuts[0]!.prefix.cost;
    const end = x + Math.max(BRANCH_MIN / 2, (cost - from.cost) * scale);
    const reaches = reachesOf(studied.group.members[0]!, from.cost, cost, x);
    const tip = { x: end, y, half: reaches.at(-1)?.half ?? HALF.min, cost };
    const inner = new Set(studied.inner.flatMap(leavesOf));
    return {
      name: studied.id,
      y,
      from: root ? { x, y, half: reaches[0]?.half ?? HALF.min } : from,
      reaches,
      end,
      group: studied,
      trunks: studied.inner.map(one => place(one, tip, false)),
      leaves: studied.group.members
        .filter(name => !inner.has(name))
        .map(name => {
          const level = end + frame.bend;
          return {
            name,
            y: rows.get(name)!,
            from: tip,
            reaches: reachesOf(name, cost, Infinity, level),
            end: level + Math.max(BRANCH_MIN, (byName.get(name)!.cost - cost) * scale),
          };
        }),
    };
  };
  return place(group, { x: frame.left, y: 0, half: 0, cost: 0 }, true);
}

const depthOf = ({ inner }: StudiedGroup): number => 1 + Math.max(0, ...inner.map(depthOf));

/** How far a change of width takes. */
const EASE = 16;

/** The outline of a level stretch from `start`, mirrored about `y`; changes of width are eased. */
export function outline({ y, reaches, end }: Branch, start: number): string {
  const halves = [{ x: start, half: reaches[0]?.half ?? HALF.min }, ...reaches.slice(1), { x: end, half: NaN }];
  const side = (sign: number, way: 'there' | 'back'): string => {
    const at = (x: number, half: number): string => `${x.toFixed(1)},${(y + sign * half).toFixed(1)}`;
    const steps = halves.slice(0, -1).map(({ x, half }, i) => {
      const next = halves[i + 1]!;
      const after = i + 2 < halves.length ? next.half : half;
      const ease = Math.min(EASE, (next.x - x) / 2);
      return { from: x, to: next.x, half, after, ease };
    });
    if (way === 'there')
      return steps
        .map(({ from, to, half, after, ease }) => {
          const middle = to - ease / 2;
          return `L${at(from, half)}L${at(to - ease, half)}C${at(middle, half)} ${at(middle, after)} ${at(to, after)}`;
        })
        .join('');
    return steps
      .toReversed()
      .map(({ from, to, half, after, ease }) => {
        const middle = to - ease / 2;
        return `L${at(to, after)}C${at(middle, after)} ${at(middle, half)} ${at(to - ease, half)}L${at(from, half)}`;
      })
      .join('');
  };
  return `M${side(-1, 'there').slice(1)}${side(1, 'back')}Z`;
}

/** The bend from where a branch leaves its trunk to where it runs level. */
export function bend({ from, y, reaches }: Branch, x: number): string {
  const half = reaches[0]?.half ?? HALF.min;
  const middle = (from.x + x) / 2;
  const side = (sign: number): [string, string] => [
    `${from.x.toFixed(1)},${(from.y + sign * from.half).toFixed(1)}`,
    `${x.toFixed(1)},${(y + sign * half).toFixed(1)}`,
  ];
  const curve = (a: string, b: string): string => {
    const [ay, by] = [a, b].map(point => point.split(',')[1]!);
    return `C${middle.toFixed(1)},${ay} ${middle.toFixed(1)},${by} ${b}`;
  };
  const [upFrom, upTo] = side(-1);
  const [downFrom, downTo] = side(1);
  return `M${upFrom}${curve(upFrom, upTo)}L${downTo}${curve(downTo, downFrom)}Z`;
}
