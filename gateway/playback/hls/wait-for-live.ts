/** Waits, for a bounded time, until a stream is live: a page that opens with the camera gets its first fragment, not an error. */

import type { Clock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { limits } from '../../../storage/model/limits.ts';
import { type FragmentSource, fragmentEnd, type PlayableFragment } from '../fragment-source.ts';

/**
 * The newest fragment as soon as it is recent.
 *
 * @param beginMs  it must also end after this server time
 * @throws AppError not_found    the stream has no media at all
 * @throws AppError unavailable  its newest media are old
 */
export async function waitForLive(
  { source, clock }: { readonly source: FragmentSource; readonly clock: Clock },
  streamId: string,
  beginMs = 0,
): Promise<PlayableFragment> {
  const deadlineMs = clock.monotonicMs() + limits.hlsFirstFragmentWaitMs;
  let wake = () => {};
  const stop = source.onNew(streamId, () => wake());
  try {
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const newest = await source.latest(streamId);
      const isLive = newest !== undefined && fragmentEnd(newest) > clock.wallMs() - limits.liveAgeMsMax;
      if (isLive && fragmentEnd(newest) > beginMs) return newest;
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0) throw notLive(streamId, newest);
      const cancel = clock.after(leftMs, () => wake());
      await woken;
      cancel();
    }
  } finally {
    stop();
  }
}

function notLive(streamId: string, newest: PlayableFragment | undefined): Error {
  const hint = "look at the camera's state: it tells why nothing is being recorded";
  if (newest === undefined) return appError('not_found', 'the stream has no recorded media yet', { streamId, hint });
  return appError('unavailable', 'the stream is not live', { streamId, newestMs: fragmentEnd(newest), hint });
}
