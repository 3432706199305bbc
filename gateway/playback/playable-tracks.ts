/**
 * Which tracks of a run players get, and why the others are left out: a track that no player takes must not break the rest.
 */

import type { Track } from '../../storage/model/track.ts';

/** A track that is stored but not played, and why: shown to people. */
export type LeftOutTrack = { readonly trackNumber: number; readonly codecId: string; readonly reason: string };

export type TrackChoice = {
  readonly video: Track | undefined;
  readonly audio: Track | undefined;
  readonly leftOut: readonly LeftOutTrack[];
};

/** The first video and the first audio track that players can take. */
export function chooseTracks(tracks: readonly Track[]): TrackChoice {
  let video: Track | undefined;
  let audio: Track | undefined;
  const leftOut: LeftOutTrack[] = [];
  for (const track of tracks) {
    const reason = whyUnplayable(track) ?? whyNotChosen(track, track.kind === 'video' ? video : audio);
    if (reason !== undefined) leftOut.push({ trackNumber: track.number, codecId: track.codecId, reason });
    else if (track.kind === 'video') video = track;
    else audio = track;
  }
  return { video, audio, leftOut };
}

/** `chooseTracks` that remembers, for one request: fragments of a segment share their list of tracks. */
export function trackChooser(): (tracks: readonly Track[]) => TrackChoice {
  const known = new Map<readonly Track[], TrackChoice>();
  return (tracks) => {
    const choice = known.get(tracks) ?? chooseTracks(tracks);
    known.set(tracks, choice);
    return choice;
  };
}

/** RFC 6381 name of what a player of HLS gets: G.711 comes as FLAC. */
export function playedCodecString(track: Track): string | undefined {
  return track.codec === 'pcmu' || track.codec === 'pcma' ? 'fLaC' : track.codecString;
}

function whyUnplayable(track: Track): string | undefined {
  if (track.kind === 'other') return 'it is neither video nor audio';
  if (track.codec === 'other') return `players cannot decode ${track.codecId}`;
  if (playedCodecString(track) === undefined) return `the set-up of its codec ${track.codec} is not understood`;
  if (track.kind === 'video' && track.video === undefined) return 'its picture size is unknown';
  if (track.kind === 'audio' && track.audio === undefined) return 'its sampling frequency is unknown';
  return undefined;
}

function whyNotChosen(track: Track, chosen: Track | undefined): string | undefined {
  return chosen === undefined ? undefined : `${track.kind} track ${chosen.number} is played instead`;
}
