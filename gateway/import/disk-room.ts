/** Room on disks that imports share with recordings: they are the first to wait, long before anything recorded is given up. */

import { statfs } from 'node:fs/promises';
import type { Clock } from '../../storage/base/clock.ts';
import { appError, toAppError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import { limits } from '../../storage/model/limits.ts';

/** How much of the disk others keep; a small disk gives a part of itself. */
const reservedShare = 0.02;
/**
 * Of that an import may use up half while it runs: retention restores it within seconds, and gives up what is stored nowhere else
 * when a quarter is left.
 */
const lastShare = 0.5;
/** Retention looks every few seconds, and slow disks delete a few files a second. */
const waitMs = 60_000;
const lookMs = 1_000;

export type DiskRoom = { readonly freeBytes: number; readonly reserveBytes: number };

/** @throws AppError  what the disk says */
export async function diskRoomAt(directory: string): Promise<DiskRoom> {
  try {
    const { bavail, blocks, bsize } = await statfs(directory);
    const reserveBytes = Math.min(limits.diskReserveBytesMax, blocks * bsize * reservedShare);
    return { freeBytes: bavail * bsize, reserveBytes };
  } catch (error) {
    throw toAppError(error);
  }
}

/**
 * Resolves when the disk has room for more of an import, or `isOver`.
 *
 * @throws AppError resource_exhausted  it has none for a minute
 */
export async function untilDiskRoom(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  { directory, isOver }: { readonly directory: string; readonly isOver: () => boolean },
): Promise<void> {
  const beganMs = clock.monotonicMs();
  for (let looks = 0; !isOver(); looks++) {
    const { freeBytes, reserveBytes } = await diskRoomAt(directory);
    if (freeBytes >= reserveBytes * lastShare) return;
    if (clock.monotonicMs() - beganMs >= waitMs) {
      throw appError('resource_exhausted', 'the disk has no room for more of this import', {
        freeBytes,
        hint: 'what came in stays; run it again when there is room: it goes on',
      });
    }
    if (looks === 0) log.info('import waits for room on the disk', { directory, freeBytes });
    await clock.sleep(lookMs);
  }
}
