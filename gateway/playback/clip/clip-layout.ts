/**
 * The layout of an MP4 clip: ftyp, moov, sidx, then moof and mdat of each fragment. Everything but the media themselves
 * follows from the fragment tables, so length and any byte range are known before a byte of media is read. Pure.
 */

import { must } from '../../../storage/base/assert.ts';
import { fmp4FragmentHeadBytes, fmp4Index, fmp4IndexBytes, fmp4Init } from '../../../storage/media/index.ts';
import { fragmentEndMs } from '../../../storage/model/fragment.ts';
import type { Track } from '../../../storage/model/track.ts';
import { isDiscontinuity } from '../continuity.ts';
import type { PlayableFragment, TimeRange } from '../fragment-source.ts';
import { chooseTracks } from '../playable-tracks.ts';
import { silentFrame } from '../silence.ts';
import { mergedRanges } from '../timeline.ts';
import { type ClipTrack, ClipTracks, clipAmounts } from './clip-tracks.ts';
import { decodeLeadOf } from './decode-lead.ts';

/** What happens to time in which nothing was recorded. */
export type ClipGaps = 'collapsed' | 'kept';

/** One stored track's share of a part. */
export type ClipPartTrack = ClipTrack & {
  readonly stored: Track;
  readonly endTimeUs: number;
  /** One frame of silence, not in the fragment: see `openingTracks`. */
  readonly isOpening: boolean;
};

/** One fragment in the clip. */
export type ClipPart = {
  readonly reference: PlayableFragment;
  /** First byte in the clip, and moof and mdat together. */
  readonly offset: number;
  readonly byteLength: number;
  /** 1, 2, ... */
  readonly sequenceNumber: number;
  /** From the run's media time to the clip's, microseconds. */
  readonly timeOffsetUs: number;
  /** Video decodes so much before it is shown. */
  readonly decodeLeadUs: number;
  readonly tracks: readonly ClipPartTrack[];
};

export type ClipLayout = {
  /** ftyp, moov and sidx. */
  readonly head: Uint8Array;
  /** ftyp and moov alone. */
  readonly init: Uint8Array;
  readonly parts: readonly ClipPart[];
  readonly byteLength: number;
  readonly durationMs: number;
  /** Server time that is really in the clip: whole fragments, so it begins up to a GOP early. */
  readonly spans: readonly TimeRange[];
};

/** A fragment's place on the clip's timeline. */
type Placed = {
  readonly reference: PlayableFragment;
  readonly timeOffsetUs: number;
  readonly beginUs: number;
  readonly endUs: number;
};

/** Lays a clip out. @param references  at least one, in order, beginning with a key frame */
export function clipLayout(references: readonly PlayableFragment[], gaps: ClipGaps): ClipLayout {
  const clipTracks = new ClipTracks(references);
  // Nothing decodes before time 0, so what is shown begins one lead later.
  const decodeLeadUs = decodeLeadOf(references);
  const placed = placedOn(references, { gaps, beginUs: decodeLeadUs });
  const endUs = placed.reduce((us, part) => Math.max(us, part.endUs), 0);
  const durationMs = Math.ceil(endUs / 1000);
  const createdMs = references[0]?.fragment.serverTimestampMs ?? 0;
  const init = fmp4Init(clipTracks.entries, { durationMs, createdMs });
  const headBytes = init.length + fmp4IndexBytes(references.length);
  const parts: ClipPart[] = [];
  let offset = headBytes;
  for (const { reference, timeOffsetUs } of placed) {
    const own = partTracks(reference, clipTracks);
    const tracks = parts.length === 0 ? [...own, ...openingTracks(own, clipTracks)] : own;
    const amounts = tracks.map((track) => amountsOf(reference, track));
    const data = amounts.reduce((sum, { bytes }) => sum + bytes, 0);
    const byteLength = fmp4FragmentHeadBytes(amounts.map(({ samples }) => samples)) + data;
    parts.push({ reference, offset, byteLength, sequenceNumber: parts.length + 1, timeOffsetUs, decodeLeadUs, tracks });
    offset += byteLength;
  }
  const index = fmp4Index({
    track: must(clipTracks.entries[0], 'a clip has a track'),
    beginTimeUs: placed[0]?.beginUs ?? 0,
    entries: placed.map(({ reference, beginUs, endUs }, at) => ({
      byteLength: parts[at]?.byteLength ?? 0,
      durationUs: Math.max(0, (placed[at + 1]?.beginUs ?? endUs) - beginUs),
      isKey: reference.fragment.isKey,
    })),
  });
  const spans = mergedRanges(
    references.map(({ fragment }) => ({ beginMs: fragment.serverTimestampMs, endMs: fragmentEndMs(fragment) })),
    1,
  );
  return {
    head: Buffer.concat([init, index]),
    init,
    parts,
    byteLength: offset,
    durationMs: Math.ceil((endUs - decodeLeadUs) / 1000),
    spans,
  };
}

/** The first part that ends after a byte; `parts.length` behind the last. */
export function partAt(parts: readonly ClipPart[], byteOffset: number): number {
  let low = 0;
  let high = parts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const part = parts[middle];
    if (part !== undefined && part.offset + part.byteLength <= byteOffset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Inside a run fragments keep their distances; a run, or what follows a hole, begins where the gap rule says. */
function placedOn(
  references: readonly PlayableFragment[],
  { gaps, beginUs: clipBeginUs }: { readonly gaps: ClipGaps; readonly beginUs: number },
): Placed[] {
  const placed: Placed[] = [];
  const firstMs = references[0]?.fragment.serverTimestampMs ?? 0;
  let timeOffsetUs = 0;
  for (const reference of references) {
    const previous = placed.at(-1);
    if (previous === undefined || isDiscontinuity(previous.reference, reference)) {
      const wallUs = gaps === 'kept' ? (reference.fragment.serverTimestampMs - firstMs) * 1000 : 0;
      const beginUs = Math.max(previous?.endUs ?? 0, clipBeginUs + wallUs);
      timeOffsetUs = beginUs - earliestMs(reference) * 1000;
    }
    const { fragment } = reference;
    const endMs = fragment.tracks.reduce(
      (ms, row) => (row.samples > 0 ? Math.max(ms, row.endMediaMs) : ms),
      fragment.mediaTimeMs + fragment.durationMs,
    );
    const beginUs = fragment.mediaTimeMs * 1000 + timeOffsetUs;
    placed.push({ reference, timeOffsetUs, beginUs, endUs: endMs * 1000 + timeOffsetUs });
  }
  return placed;
}

/** Leading pictures and sound may begin before the key frame. */
function earliestMs({ fragment }: PlayableFragment): number {
  return fragment.tracks.reduce(
    (ms, row) => (row.samples > 0 ? Math.min(ms, row.beginMediaMs) : ms),
    fragment.mediaTimeMs,
  );
}

function partTracks(reference: PlayableFragment, clipTracks: ClipTracks): ClipPartTrack[] {
  const { video, audio } = chooseTracks(reference.segment.tracks);
  return [video, audio].flatMap((stored) => {
    const clipTrack = stored === undefined ? undefined : clipTracks.of(stored);
    if (stored === undefined || clipTrack === undefined) return [];
    const row = reference.fragment.tracks.find(({ trackNumber }) => trackNumber === stored.number);
    const endMs = row?.endMediaMs ?? reference.fragment.mediaTimeMs + reference.fragment.durationMs;
    return [{ ...clipTrack, stored, endTimeUs: endMs * 1000, isOpening: false }];
  });
}

/**
 * Sound whose codec appears later in the clip has a track of its own, which begins with a frame of silence at the clip's
 * beginning: Chromium takes a track's late beginning for additional length of the whole clip.
 */
function openingTracks(own: readonly ClipPartTrack[], clipTracks: ClipTracks): ClipPartTrack[] {
  return clipTracks.soundTracks
    .filter(({ track }) => own.every((present) => present.track.number !== track.number))
    .map((opening) => ({ ...opening, endTimeUs: 0, isOpening: true }));
}

function amountsOf(
  { fragment }: PlayableFragment,
  { stored, parameterSets, isOpening }: ClipPartTrack,
): { readonly samples: number; readonly bytes: number } {
  if (isOpening) {
    const silent = silentFrame(stored);
    return clipAmounts(stored, { samples: silent === undefined ? 0 : 1, payloadBytes: silent?.bytes.length ?? 0 });
  }
  const row = fragment.tracks.find(({ trackNumber }) => trackNumber === stored.number);
  if (row === undefined || row.samples === 0) return { samples: 0, bytes: 0 };
  const { samples, bytes } = clipAmounts(stored, row);
  return { samples, bytes: bytes + parameterSets.length };
}
