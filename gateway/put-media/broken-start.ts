/**
 * Bodies that begin in the middle of a stream. A native producer whose connection broke, and whose next attempts were refused, forgets to
 * go back: its first body that gets through begins with whatever it would have sent next, a block or the rest of one. Told that this is
 * invalid, it leaves out all frames until its next key frame; told to send again, it begins anew at the oldest fragment that was not
 * stored, with its head. So it is told the latter, once.
 */

import type { AppError } from '../../storage/base/errors.ts';
import { ebmlIds } from '../../storage/media/index.ts';
import { mediaError } from './media-errors.ts';

/** What stands inside of a Segment and never begins one. */
const innerIds: ReadonlySet<unknown> = new Set(
  [ebmlIds.cluster, ebmlIds.simpleBlock, ebmlIds.blockGroup, ebmlIds.tags].map((id) => id.toString(16)),
);

/**
 * What the producer is to be told instead of a fault of its media.
 *
 * @param options.isContinued  the stream's connection before this one broke: its rest may begin with any byte
 */
export function faultOfStart(fault: AppError, { isContinued }: { readonly isContinued: boolean }): AppError {
  const { byteOffset, id } = fault.context;
  if (byteOffset !== 0 || (!isContinued && !innerIds.has(id))) return fault;
  return mediaError('read-error', 'the body begins in the middle of a stream', { cause: fault });
}
