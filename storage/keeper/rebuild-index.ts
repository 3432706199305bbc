/** `weir rebuild-index`: an index out of files and objects alone, by the keeper that does so after a loss, until it is whole. */

import type { Clock } from '../base/clock.ts';
import { appError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Paths } from '../model/paths.ts';
import type { ObjectStore } from '../objects/index.ts';
import { Keeper } from './keeper.ts';

export type RebuildResult = {
  readonly segments: number;
  /** Objects that are no segments, or could not be read: `weir check` names them. */
  readonly unreadable: number;
  readonly gaps: number;
};

const lookEveryMs = 200;

/**
 * Moves the index aside, if there is one, and fills another. What only the old one knew (removals, pauses, the ledger's state) is
 * taken over. Nobody else may have the index open for writing. May be interrupted: the next start of the keeper goes on.
 *
 * @throws AppError unavailable  the store, or a store that the index names, cannot be reached: then nothing was changed
 * @throws the signal's reason   it was interrupted
 */
export async function rebuildIndex(
  dependencies: { readonly clock: Clock; readonly log: Log; readonly store: ObjectStore },
  options: {
    readonly paths: Paths;
    readonly storeTimeoutMs: number;
    readonly signal: AbortSignal;
    readonly onProgress: (progress: { readonly objects: number; readonly segments: number }) => void;
  },
): Promise<RebuildResult> {
  const { clock, store } = dependencies;
  const { paths, storeTimeoutMs, signal, onProgress } = options;
  // Without its objects a new index would be worth less than the old one.
  await store.identity();
  let failure: unknown;
  const onFatal = (error: unknown) => {
    failure = error;
  };
  const keeper = new Keeper(
    { ...dependencies, onFatal },
    { paths, storeTimeoutMs, periodMs: lookEveryMs, rebuildReason: 'a person asked for it' },
  );
  try {
    await keeper.start();
    for (;;) {
      await clock.sleep(lookEveryMs, signal);
      if (failure !== undefined) throw failure;
      const { isIndexOpen, rebuild, store: health, problems } = keeper.state;
      if (isIndexOpen && rebuild === undefined) break;
      if (rebuild !== undefined) onProgress(rebuild);
      if (health.state === 'away' || health.state === 'another') {
        throw appError('unavailable', `the index is not whole yet: ${health.message ?? 'the object store is away'}`, {
          hint: health.hint ?? 'Start Weir, or this command again: it goes on when the store is back.',
        });
      }
      const refused = problems.find(({ code }) => code === 'index-unavailable');
      if (refused !== undefined)
        throw appError('unavailable', refused.message, refused.hint === undefined ? {} : { hint: refused.hint });
    }
    const { streams } = keeper.index.queries;
    const { unreadable, gaps } = keeper.rebuilt ?? { unreadable: 0, gaps: 0 };
    return { segments: streams.segmentCount(), unreadable, gaps };
  } finally {
    await keeper.close();
  }
}
