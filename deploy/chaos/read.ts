import { readFile } from 'node:fs/promises';
import { describeError, validator, type ClusterDocument } from '../../contracts/index.ts';
import { actorSpecs } from '../cluster/specs.ts';
import {
  didYouMean,
  DocumentsError,
  fieldName,
  misfits,
  parseYaml,
  type Path,
  type Problem,
} from '../documents/index.ts';
import { ChaosDocument } from './schema.ts';

const accepts = validator(ChaosDocument);

/** Says what is wrong at a place of the file. */
export type Complain = (path: Path, detail: string, remedy?: string) => void;

interface ChaosFile {
  readonly document: ChaosDocument;
  /** About what only the cluster can tell. */
  readonly complain: Complain;
  /** @throws DocumentsError when there were complaints */
  readonly done: () => void;
}

/** @throws DocumentsError that names each wrong field, with its line and what to do */
export async function readChaos(file: string): Promise<ChaosFile> {
  const problems: Problem[] = [];
  const done = (): void => {
    if (problems.length > 0) throw new DocumentsError(problems);
  };
  const { values, problems: unreadable } = parseYaml(await textOf(file), file);
  problems.push(...unreadable);
  if (values.length !== 1 && unreadable.length === 0) {
    const detail = `holds ${values.length} documents; a scenario is one, with cluster, durationS, load and faults`;
    problems.push({ severity: 'error', file, field: '', detail });
  }
  done();
  const { value, lineOf } = values[0]!;
  const complain = (path: Path, detail: string, remedy?: string, at?: 'key'): void => {
    const where = { severity: 'error' as const, file, line: lineOf(path, at), field: fieldName(path), detail };
    problems.push(remedy === undefined ? where : { ...where, remedy });
  };
  for (const { path, at, detail, remedy } of misfits(ChaosDocument, value, 'scenario'))
    complain(path, detail, remedy, at === 'key' ? 'key' : undefined);
  done();
  // The compiled schema has the last word, so that nothing slips past our own wording.
  for (const { path, detail } of accepts.problems(value)) complain(path.split('/').slice(1), detail);
  done();
  return { document: value as ChaosDocument, complain, done };
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const detail = code === 'ENOENT' ? 'there is no such file' : describeError(error);
    throw new DocumentsError([{ severity: 'error', file, field: '', detail }]);
  }
}

/** What a scenario says of its cluster. `ownNats`: the launcher starts the server. */
export function checkAgainst(
  document: ChaosDocument,
  cluster: { document: ClusterDocument; baseDir: string; ownNats: boolean },
  complain: Complain,
): void {
  const specs = actorSpecs(cluster.document, cluster);
  const names = specs.map(({ name }) => name);
  const check = (path: Path, name: string, hostOnly: boolean): void => {
    const found = specs.find(spec => spec.name === name);
    if (!found) complain(path, `the cluster has no actor "${name}"`, didYouMean(name, names, 'actors'));
    else if (hostOnly && found.actor !== 'gpu-host') complain(path, `${name} is no gpu-host: it can't be drained`);
  };
  document.faults.forEach((fault, i) => {
    const here = ['faults', i];
    if (fault.kind === 'kill-nats') {
      if (!cluster.ownNats) complain(here, 'the server is not ours to kill', 'leave --nats and nats.url out');
    } else if (fault.kind === 'random') {
      const hostsOnly = fault.what.includes('drain');
      fault.actors.forEach((name, n) => check([...here, 'actors', n], name, hostsOnly));
      if (fault.toS < fault.fromS) complain([...here, 'toS'], `must not be before fromS (${fault.fromS})`);
      if (fault.what.includes('freeze') && fault.forS === undefined)
        complain([...here, 'forS'], 'is missing: for how long do they freeze?');
    } else check([...here, 'actor'], fault.actor, fault.kind === 'drain');
    const endS = fault.kind === 'random' ? fault.toS : fault.atS;
    if (endS >= document.durationS) complain(here, `comes after the load (durationS: ${document.durationS})`);
  });
  const streams = document.load.map(({ stream }) => stream);
  streams.forEach((stream, i) => {
    if (streams.indexOf(stream) !== i)
      complain(['load', i, 'stream'], `"${stream}" is there twice`, 'give each load a stream of its own');
  });
}
