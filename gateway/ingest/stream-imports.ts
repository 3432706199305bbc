/** Files that come into one stream of this process, beside its camera: at most one at a time, `limits.importsMax` in the process. */

import { appError } from '../../storage/base/errors.ts';
import { ByteBudget } from '../../storage/journal/index.ts';
import type { IncomingPut, PutAnswers } from '../../storage/lane/index.ts';
import type { OpenSegment } from '../../storage/model/hint.ts';
import { limits } from '../../storage/model/limits.ts';
import { type ImportHead, ImportPut, type ImportPutDeps } from '../import/index.ts';

export type StreamImportsDeps = Omit<ImportPutDeps, 'budget' | 'answers' | 'onClosed'> & {
  /** How many run in the whole process. */
  readonly running: { count: number };
};

export class StreamImports {
  readonly #deps: StreamImportsDeps;
  #current: ImportPut | undefined;

  constructor(deps: StreamImportsDeps) {
    this.#deps = deps;
  }

  get openSegments(): readonly OpenSegment[] {
    return this.#current?.openSegments ?? [];
  }

  /** @throws AppError resource_exhausted  another one runs, or too many in the process */
  begin(head: ImportHead, answers: PutAnswers): IncomingPut {
    const { running, ...deps } = this.#deps;
    if (this.#current !== undefined || running.count >= limits.importsMax) {
      throw appError('resource_exhausted', 'another import is running', { hint: 'try again when it is done' });
    }
    running.count++;
    const log = deps.log.child({ importId: head.importId });
    const put = new ImportPut(
      {
        ...{ ...deps, log, answers },
        budget: new ByteBudget(limits.importBytesMax),
        onClosed: () => {
          running.count--;
          this.#current = undefined;
        },
      },
      head,
    );
    this.#current = put;
    log.info('import began', { atMs: head.atMs });
    return put;
  }

  async close(reason: string): Promise<void> {
    await this.#current?.close(reason);
  }
}
