import { DOCUMENTS, type TSchema } from '../../contracts/index.ts';
import { ChaosDocument } from '../chaos/index.ts';
import { WorkloadDocument } from '../plan/index.ts';
import { ScenarioDocument } from '../simulate/index.ts';
import { asyncApi } from './asyncapi.ts';
import { configuration, files as filesGuide } from './guides.ts';
import { reference } from './reference.ts';
import { plainSchema } from './schema.ts';

const DRAFT = 'http://json-schema.org/draft-07/schema#';
const json = (value: object): string => `${JSON.stringify(value, undefined, 2)}\n`;

const documentSchema = (kind: string, schema: TSchema): string =>
  json({ $schema: DRAFT, title: `Ganglion ${kind}`, ...plainSchema(schema) });

/** Every generated file: path from the package's root → content. */
export async function generatedFiles(version: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const kinds = Object.entries(DOCUMENTS);
  for (const [kind, schema] of kinds)
    files.set(`schemas/${kind.toLowerCase()}.schema.json`, documentSchema(kind, schema));
  files.set('schemas/workload.schema.json', documentSchema('Workload', WorkloadDocument));
  files.set('schemas/scenario.schema.json', documentSchema('Scenario', ScenarioDocument));
  files.set('schemas/chaos.schema.json', documentSchema('Chaos', ChaosDocument));
  const any = { $schema: DRAFT, title: 'Any Ganglion document', anyOf: kinds.map(([, schema]) => plainSchema(schema)) };
  files.set('schemas/any.schema.json', json(any));
  files.set('docs/asyncapi.json', json(asyncApi(version)));
  files.set('docs/reference.md', reference());
  files.set('docs/configuration.md', await configuration());
  files.set('docs/files.md', filesGuide());
  return files;
}
