import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What has to be undone when a test, or a file of tests that share a cluster, ends: the latest first. */
export class Cleanup {
  readonly #undo: (() => Promise<void> | void)[] = [];

  add(undo: () => Promise<void> | void): void {
    this.#undo.push(undo);
  }

  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (const undo of this.#undo.splice(0).toReversed()) {
      try {
        await undo();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'cleaning up failed');
  }

  /** A folder that is gone afterwards. */
  async folder(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'ganglion-e2e-'));
    this.add(() => rm(path, { recursive: true, force: true }));
    return path;
  }
}
