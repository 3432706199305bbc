/** Playlist entries of fragments: their URIs, and what stands in for sound or pictures that are missing. Pure. */

import type { PlayableFragment } from '../fragment-source.ts';
import type { TrackChoice } from '../playable-tracks.ts';
import type { BesideEntry } from './beside-main.ts';
import type { MediaEntry } from './media-playlist.ts';
import type { NumberedFragment } from './numbering.ts';
import { type HlsSession, type Query, queryText, shiftQuery } from './session.ts';
import { noShift, type Shift } from './shift.ts';

export type EntryContext = {
  readonly kind: 'video' | 'audio';
  /** Before every file name: empty, or what marks the sub stream's files beside the main one's. */
  readonly prefix: string;
  readonly session: HlsSession;
  readonly carried: Query;
  /** The fragment of each run that names its initialization. */
  readonly firstOfRun: ReadonlyMap<string, PlayableFragment>;
  readonly choose: (tracks: PlayableFragment['segment']['tracks']) => TrackChoice;
};

/** A fragment of a stream that is played by its own times, shifted as the session says. */
export function entryOf({ reference, isDiscontinuity }: NumberedFragment, context: EntryContext): MediaEntry {
  const { shift } = context.session;
  const { durationMs, serverTimestampMs } = reference.fragment;
  return {
    ...filesOf(reference, context, shift),
    ...{ durationMs, serverTimestampMs: serverTimestampMs - shift.dateMs, isDiscontinuity },
  };
}

/** An entry of the sub stream that is laid beside the main one. @param contexts  of either stream's files */
export function besideEntryOf(
  entry: BesideEntry,
  before: BesideEntry | undefined,
  contexts: { readonly sub: EntryContext; readonly main: EntryContext },
): MediaEntry {
  const { reference, isOfMain, shift, beginMs, endMs } = entry;
  const breaks = before === undefined ? 0 : entry.discontinuitySequence - before.discontinuitySequence;
  const place = { durationMs: endMs - beginMs, serverTimestampMs: beginMs, isDiscontinuity: breaks > 0 };
  if (reference !== undefined)
    return { ...filesOf(reference, isOfMain ? contexts.main : contexts.sub, shift), ...place };
  const { prefix, carried } = contexts.sub;
  const uri = `${prefix}gap-${Math.round(beginMs)}.m4s${queryText(carried)}`;
  return { uri, mapUri: undefined, isGap: true, ...place };
}

function filesOf(
  reference: PlayableFragment,
  context: EntryContext,
  shift: Shift = noShift,
): Pick<MediaEntry, 'uri' | 'mapUri' | 'isGap'> {
  const { fragment, segment } = reference;
  const { prefix, carried, session } = context;
  const track = context.choose(segment.tracks)[context.kind];
  const suffix = queryText(carried);
  const shiftedSuffix = queryText({ ...shiftQuery(shift), ...carried });
  if (track !== undefined) {
    const named = context.firstOfRun.get(segment.runId) ?? reference;
    return {
      uri: `${prefix}media-${fragment.number}-${track.number}.m4s${shiftedSuffix}`,
      mapUri: `${prefix}init-${named.fragment.number}-${track.number}.mp4${suffix}`,
      isGap: false,
    };
  }
  const format = session.silence;
  return {
    uri: `${prefix}silence-${fragment.number}-${format ?? 'none'}.m4s${shiftedSuffix}`,
    mapUri: format === undefined ? undefined : `${prefix}init-silence-${format}.mp4${suffix}`,
    isGap: format === undefined,
  };
}
