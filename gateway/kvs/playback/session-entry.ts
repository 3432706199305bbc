/**
 * How a session counts: each fragment that it plays gets its numbers and its place from the one before. Counted from the session's
 * first fragment, they are the same in every answer, of any process, before and after a restart. Pure.
 */

import { fragmentNumberParts } from '../../../storage/model/fragment-number.ts';
import type { Track } from '../../../storage/model/track.ts';
import { fragmentEnd, isDiscontinuity, type PlayableFragment } from '../../playback/index.ts';
import { formOf, isSameSetUp, type PlayedTracks, playedTracks } from './media-form.ts';
import type { PlaybackSession, TimeAxis } from './session.ts';

export type SessionEntry = {
  readonly reference: PlayableFragment;
  /** Its beginning on the session's axis, milliseconds since 1970 UTC. */
  readonly axisMs: number;
  readonly tracks: PlayedTracks;
  readonly mediaSequence: number;
  /** A playlist with the session's mode marks a discontinuity before it. */
  readonly isMarked: boolean;
  /** Marks before its own. */
  readonly marksBefore: number;
  /** Which set-up of decoders, counted from 0. */
  readonly setUp: number;
  /** Sound of the session: its own, or that in whose form there is silence; undefined before there was any. */
  readonly sound: { readonly track: Track; readonly setUp: number } | undefined;
  /** Where it begins on a timeline that starts at 0 with the session and has no gaps. */
  readonly positionMs: number;
  /** What passed since the session's beginning. */
  readonly passedMs: number;
  /** Breaks before it, and steps back, that players are not to live through. */
  readonly skippedMs: number;
  /** Of a replay: when it is shown. */
  readonly revealMs: number;
};

/** AWS marks what lies further apart, or overlaps by more. */
const gapMsMax = 50;
/** Players step over shorter gaps by themselves, and wait for ever at longer ones. */
const holeMsMax = 1_000;
/** When nothing newer came for so long, an older time is what the stream has now. */
const lateMsMax = 30_000;

/** A fragment's beginning on an axis. */
export function axisTime({ fragment }: PlayableFragment, axis: TimeAxis): number {
  return axis === 'server' ? fragment.serverTimestampMs : fragment.producerTimestampMs;
}

/**
 * The entry of a fragment that comes after `previous`; undefined when the session leaves it out: it lacks the medium that is
 * played, it begins before the one before, or there is nothing to decode its beginning with.
 */
export function entryAfter(
  session: PlaybackSession,
  previous: SessionEntry | undefined,
  reference: PlayableFragment,
): SessionEntry | undefined {
  const tracks = playedTracks(reference.segment.tracks, formOf(session));
  const pacing = previous === undefined || previous.tracks.video !== undefined ? tracks.video : tracks.audio;
  const leading = pacing ?? (previous === undefined ? tracks.audio : undefined);
  if (leading === undefined || samplesOf(reference, leading) === 0) return undefined;
  const axisMs = axisTime(reference, session.axis);
  if (previous !== undefined && isLate(session, previous, { reference, axisMs })) return undefined;
  const isContinuation = leading.kind === 'video' && !reference.fragment.isKey;
  if (isContinuation && (previous === undefined || isDiscontinuity(previous.reference, reference))) return undefined;
  const played =
    previous?.tracks.video === undefined && previous !== undefined ? { ...tracks, video: undefined } : tracks;
  if (previous === undefined) return firstEntry(session, { reference, axisMs, tracks: played });
  // Sound that is missing is silence in the form of the sound before: that changes nothing for decoders.
  const isOther =
    !isSameSetUp(previous.tracks.video, played.video) || !isSameSetUp(previous.sound?.track, played.audio);
  const setUp = previous.setUp + (isOther ? 1 : 0);
  const { durationMs } = previous.reference.fragment;
  const revealMs = Math.max(previous.revealMs + durationMs, fragmentEnd(reference));
  const holeMs = axisMs - previous.axisMs - durationMs;
  return {
    ...{ reference, axisMs, tracks: played, setUp, revealMs },
    mediaSequence: previous.mediaSequence + 1,
    isMarked: !isContinuation && isMarked(session, { holeMs, isOther }),
    marksBefore: previous.marksBefore + (previous.isMarked ? 1 : 0),
    sound: played.audio === undefined ? previous.sound : { track: played.audio, setUp },
    positionMs: previous.positionMs + durationMs,
    passedMs: previous.passedMs + durationMs + Math.max(0, holeMs),
    skippedMs: previous.skippedMs + (Math.abs(holeMs) > holeMsMax ? holeMs : 0),
  };
}

/** What comes too late to be put in its place is left out. */
function isLate(
  { mode, protocol, axis }: PlaybackSession,
  previous: SessionEntry,
  { reference, axisMs }: Pick<SessionEntry, 'reference' | 'axisMs'>,
): boolean {
  const { fragment, segment } = previous.reference;
  if (mode !== 'live') {
    // Of ingests that overlap in producer time DASH plays the first alone.
    const isWhole = protocol === 'dash' && axis === 'producer';
    return axisMs <= previous.axisMs || (isWhole && axisMs < previous.axisMs + fragment.durationMs - gapMsMax);
  }
  // What is live goes on whatever clocks do: that of this machine may be set back, and a source's may be told late.
  if (axis === 'server' || axisMs > previous.axisMs || reference.segment.runId === segment.runId) return false;
  return reference.fragment.serverTimestampMs - fragment.serverTimestampMs <= lateMsMax;
}

/** Of the session, or of what is left of it: then fragment counters and times bound the numbers, which jump forward and never back. */
function firstEntry(
  session: PlaybackSession,
  first: Pick<SessionEntry, 'reference' | 'axisMs' | 'tracks'>,
): SessionEntry {
  const { reference, tracks } = first;
  const { anchor, startedMs } = session;
  const isBeginning = anchor === undefined || reference.fragment.number <= anchor;
  const begin = anchor === undefined ? undefined : fragmentNumberParts(anchor);
  const lostMs = isBeginning ? 0 : Math.max(0, reference.fragment.serverTimestampMs - (begin?.serverTimestampMs ?? 0));
  const { counter } = fragmentNumberParts(reference.fragment.number);
  const mediaSequence = isBeginning ? 0 : Math.max(0, counter - (begin?.counter ?? 0));
  const setUp = Math.ceil(lostMs / 1000);
  return {
    ...first,
    mediaSequence,
    isMarked: session.discontinuity === 'always',
    marksBefore: session.discontinuity === 'always' ? mediaSequence : setUp,
    setUp,
    sound: tracks.audio === undefined ? undefined : { track: tracks.audio, setUp },
    positionMs: lostMs,
    passedMs: lostMs,
    skippedMs: 0,
    revealMs: startedMs,
  };
}

function isMarked(
  { discontinuity }: PlaybackSession,
  { holeMs, isOther }: { readonly holeMs: number; readonly isOther: boolean },
): boolean {
  if (discontinuity === 'always') return true;
  return discontinuity === 'on-discontinuity' && (isOther || Math.abs(holeMs) > gapMsMax);
}

function samplesOf({ fragment }: PlayableFragment, track: Track): number {
  return fragment.tracks.find(({ trackNumber }) => trackNumber === track.number)?.samples ?? 0;
}
