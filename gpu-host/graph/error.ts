import { ModelError } from '../../contracts/index.ts';

/** A graph that can't be read, or an operation on it that its structure doesn't allow. */
export class GraphError extends ModelError {
  /** The node, tensor or field that is meant: `node "Conv_3"`, `initialiser "w"`. */
  readonly where: string;
  constructor(model: string, where: string, detail: string, options?: ErrorOptions) {
    super(model, `${where}: ${detail}`, options);
    this.where = where;
  }
}
