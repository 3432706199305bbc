/** Blocking playlist reload (RFC 8216bis 6.2.5.2): what a player waits for, and whether it may. Pure. */

import { appError } from '../../../storage/base/errors.ts';
import type { Query } from '../hls/session.ts';

/** The answer is to have this media segment, or this part of it. */
export type Reload = { readonly mediaSequence: number; readonly part: number | undefined };

/** How far a playlist reaches: its last whole segment, and how many parts of the next one it has. */
export type PlaylistEnd = { readonly mediaSequence: number; readonly parts: number };

/** A server has no more than this many further segments in its future. */
const segmentsAheadMax = 2;

/** @throws AppError invalid_argument  no numbers, or a part of nothing */
export function reloadOfQuery(query: Query): Reload | undefined {
  const { _HLS_msn: msn, _HLS_part: part } = query;
  if (msn === undefined) {
    if (part !== undefined) throw appError('invalid_argument', '_HLS_part without _HLS_msn');
    return undefined;
  }
  return {
    mediaSequence: parseCount(msn, '_HLS_msn'),
    part: part === undefined ? undefined : parseCount(part, '_HLS_part'),
  };
}

/** True when a playlist with that end is what was waited for, or beyond. */
export function isReached({ mediaSequence, part }: Reload, end: PlaylistEnd): boolean {
  if (mediaSequence <= end.mediaSequence) return true;
  return part !== undefined && mediaSequence === end.mediaSequence + 1 && part < end.parts;
}

/** @throws AppError invalid_argument  so far in the future that no player of this playlist can mean it */
export function requireNear({ mediaSequence, part }: Reload, end: PlaylistEnd, partTargetMs: number | undefined): void {
  const aheadMax = Math.max(3, Math.ceil(3_000 / (partTargetMs ?? 1_000)));
  const isSegmentFar = mediaSequence > end.mediaSequence + segmentsAheadMax;
  const partsThere = mediaSequence === end.mediaSequence + 1 ? end.parts : 0;
  const isPartFar = part !== undefined && mediaSequence > end.mediaSequence && part >= partsThere + aheadMax;
  if (!isSegmentFar && !isPartFar) return;
  throw appError('invalid_argument', 'the playlist does not reach that far soon', {
    mediaSequence,
    part,
    ...{ lastMediaSequence: end.mediaSequence },
  });
}

function parseCount(text: string, name: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw appError('invalid_argument', `${name} is not a number`, { [name]: text.slice(0, 40) });
  return Number(text);
}
