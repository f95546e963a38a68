import { ConfigError } from '../../contracts/index.ts';
import { modelFilesFromDisk, type ModelFiles } from '../../gpu-host/index.ts';
import { DocumentsError, readDocuments } from '../documents/index.ts';

/** The models of a YAML file or a folder of them, with their files. @throws DocumentsError, ConfigError, NotFoundError */
export async function modelsOfFile(file: string): Promise<ModelFiles[]> {
  const { documents, problems } = await readDocuments([file]);
  if (problems.some(problem => problem.severity === 'error')) throw new DocumentsError(problems);
  const models = documents.flatMap(({ document, baseDir }) =>
    document.kind === 'Model' ? [{ document, baseDir }] : [],
  );
  if (models.length === 0) throw new ConfigError('holds no document of kind Model', { file });
  return Promise.all(models.map(one => modelFilesFromDisk(one.document, one.baseDir)));
}

/** The one model of a file. @throws ConfigError when it holds several */
export async function modelOfFile(file: string): Promise<ModelFiles> {
  const models = await modelsOfFile(file);
  if (models.length === 1) return models[0]!;
  const names = models.map(({ document }) => document.name).join(', ');
  throw new ConfigError(`holds ${models.length} models (${names}), one is asked for`, { file });
}
