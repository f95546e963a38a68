import { readFile, readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describeError, Profile, validator } from '../../contracts/index.ts';
import type { Problem } from '../documents/index.ts';
import { profilesFromCsv } from './csv-profiles.ts';

/** Profiles from files or curves, and all that is wrong with them. */
export interface ReadProfiles {
  readonly profiles: readonly Profile[];
  readonly problems: readonly Problem[];
}

const BYTES_MAX = 64 * 1024 * 1024;
const profileSchema = validator(Profile);

/** Reads a CSV file, a JSON file of `ganglion profile` (one profile or a list), or a folder of such. Never throws for a user's mistake. */
export async function readProfiles(path: string, baseDir: string): Promise<ReadProfiles> {
  const full = resolve(baseDir, path);
  try {
    const info = await stat(full);
    if (info.isDirectory()) {
      const names = (await readdir(full)).filter(name => /\.(csv|json)$/i.test(name)).sort();
      if (names.length === 0) return failed(path, 'is a folder without .csv or .json files');
      const all = await Promise.all(names.map(async name => readProfiles(join(path, name), baseDir)));
      return { profiles: all.flatMap(one => one.profiles), problems: all.flatMap(one => one.problems) };
    }
    if (info.size > BYTES_MAX) return failed(path, `has ${info.size} bytes, at most ${BYTES_MAX} are read`);
    const text = await readFile(full, 'utf8');
    return /^\s*[[{]/.test(text) ? profilesFromJson(text, path) : profilesFromCsv(text, path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return failed(path, code === 'ENOENT' ? 'there is no such file' : describeError(error));
  }
}

const failed = (file: string, detail: string, remedy?: string): ReadProfiles => ({
  profiles: [],
  problems: [{ severity: 'error', file, field: '', detail, ...(remedy === undefined ? {} : { remedy }) }],
});

function profilesFromJson(text: string, file: string): ReadProfiles {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return failed(file, `is not JSON: ${describeError(error)}`);
  }
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) return failed(file, 'holds no profile', 'measure one: ganglion profile MODEL --out FILE');
  const problems: Problem[] = [];
  const profiles = list.flatMap((one, i) => {
    if (profileSchema.accepts(one)) {
      if (one.points.every(point => point.meanMs > 0)) return [one];
      const place = `${Array.isArray(value) ? `[${i}].` : ''}points`;
      const remedy = 'measure it again: ganglion profile MODEL --force';
      problems.push({
        severity: 'error',
        file,
        field: place,
        detail: 'a run takes time: meanMs must be above 0',
        remedy,
      });
      return [];
    }
    const [first] = profileSchema.problems(one);
    const at = `${Array.isArray(value) ? `[${i}]` : ''}${(first?.path ?? '').replaceAll('/', '.')}`.replace(/^\./, '');
    const remedy = 'profiles are written by: ganglion profile MODEL --out FILE';
    problems.push({ severity: 'error', file, field: at, detail: first?.detail ?? 'is no profile', remedy });
    return [];
  });
  return { profiles, problems };
}

/** Our profiler names models `<name>@<hash>`: they are found by their bare names too, of several versions the latest measured. */
export function byBareName(profiles: readonly Profile[]): Profile[] {
  const exact = new Set(profiles.map(profile => `${profile.model}\0${profile.device}`));
  const bare = new Map<string, Profile>();
  for (const profile of profiles) {
    const model = profile.model.split('@')[0]!;
    const key = `${model}\0${profile.device}`;
    if (exact.has(key)) continue;
    const other = bare.get(key);
    if (!other || (other.measuredAt ?? '') < (profile.measuredAt ?? '')) bare.set(key, { ...profile, model });
  }
  return [...profiles, ...bare.values()];
}
