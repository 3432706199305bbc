/** What becomes of a run's files when writing them failed: what is readable is kept, here or by a later recovery. */

import type { Clock } from '../base/clock.ts';
import { toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { SegmentFile } from './segment-file.ts';

type Deps = {
  readonly clock: Clock;
  readonly log: Log;
  /** The file was finished after all. */
  readonly onFinished: (file: SegmentFile) => void;
};

/** How often, and for how long (a day), a file is offered to recovery again; a restart does the same. */
const retryMs = 10_000;
const attemptsMax = 8_640;

/**
 * Finishes files up to their last readable fragment if the disk still lets us, else leaves them to the keeper.
 *
 * @param options.isTrusted  false after a failed sync: a file may differ from what we believe, so it is read before it is
 *                           called finished, by recovery
 */
export async function salvage(
  deps: Deps,
  files: readonly SegmentFile[],
  options: { readonly isTrusted: boolean },
): Promise<void> {
  for (const file of files) {
    try {
      if (options.isTrusted) await seal(deps, file);
      else await file.abandon();
    } catch (cause) {
      await abandon(deps, file, { cause, attempts: 1 });
    }
  }
}

async function seal(deps: Deps, file: SegmentFile): Promise<void> {
  if (file.readableCount === 0) return file.complete();
  if (!file.isComplete) await file.truncate(file.readableBytes);
  await file.complete();
  await file.sync();
  await file.publish();
  deps.onFinished(file);
}

/** Leaves a file to the keeper, by its name; tried again where not even that can be written now. */
async function abandon(
  deps: Deps,
  file: SegmentFile,
  { cause, attempts }: { readonly cause: unknown; readonly attempts: number },
): Promise<void> {
  try {
    await file.abandon();
  } catch (error) {
    deps.log.counted('segment file could not be given to recovery yet', 1, {
      path: file.path,
      cause: toAppError(cause).message,
      error: toAppError(error).message,
    });
    if (attempts >= attemptsMax) return;
    // Nobody waits for it: a file system that is read-only may stay so for hours.
    deps.clock.after(retryMs, () => void abandon(deps, file, { cause, attempts: attempts + 1 }));
  }
}
