/**
 * What a master playlist can offer for a list of fragments: codecs, size, rates of the video, whether there is audio, and
 * which tracks are left out. Pure, from fragment tables alone.
 */

import type { Track } from '../../../storage/model/track.ts';
import type { PlayableFragment } from '../fragment-source.ts';
import { chooseTracks, type LeftOutTrack, playedCodecString, trackChooser } from '../playable-tracks.ts';
import { silenceFormatOf } from '../silence.ts';
import type { VideoSelection } from './session.ts';

/** One variant of a master playlist: its video, or audio alone. */
export type Variant = {
  readonly video: VideoSelection;
  /** RFC 6381 names of everything in it, audio included. */
  readonly codecs: readonly string[];
  readonly widthPixels: number;
  readonly heightPixels: number;
  /** Mean over the fragments; 0 for audio alone. */
  readonly framesPerSecond: number;
  /** Bits per second with container and audio: the highest of a segment, and the mean. */
  readonly bandwidthMax: number;
  readonly bandwidthMean: number;
};

export type Renditions = {
  readonly variants: readonly Variant[];
  /** Undefined when no fragment has playable audio. */
  readonly audio: { readonly channels: number; readonly silence: string | undefined } | undefined;
  readonly leftOut: readonly LeftOutTrack[];
  readonly longestMs: number;
  readonly isIndependent: boolean;
};

/** Boxes of a media segment, and what a sample's row in `trun` costs. */
const segmentHeadBytes = 120;
const sampleRowBytes = 16;
/** G.711 as FLAC has at most the bytes of 16-bit samples. */
const flacBytesPerG711Byte = 2;
/** Bit rates of shorter segments are no peak that a player would notice. */
const peakDurationMsMin = 500;

/** True when a session with this selection plays the fragment: it has samples of the medium that paces the playlist. */
export function isSelected(reference: PlayableFragment, selection: VideoSelection, choose = chooseTracks): boolean {
  const { video, audio } = choose(reference.segment.tracks);
  const pacing = selection === 'none' ? audio : video;
  if (pacing === undefined || samplesOf(reference, pacing) === 0) return false;
  return selection === 'none' || selection === 'any' || pacing.codec === selection;
}

/**
 * Finds out what can be offered. Where a range has both video codecs there is a variant with everything and one for each
 * codec alone: a player that lacks one still plays the other's part.
 *
 * @param options.isMute  leaves out audio
 */
export function renditionsOf(
  references: readonly PlayableFragment[],
  options: { readonly isMute?: boolean } = {},
): Renditions {
  const choose = options.isMute === true ? withoutAudio(trackChooser()) : trackChooser();
  const choices = references.map(({ segment }) => choose(segment.tracks));
  const videoCodecs = new Set(choices.flatMap(({ video }) => (video === undefined ? [] : [video.codec])));
  const isVideo = references.some((reference) => isSelected(reference, 'any', choose));
  const selections: VideoSelection[] = isVideo ? ['any'] : ['none'];
  if (isVideo && videoCodecs.size > 1) selections.push('h264', 'h265');
  const audioTracks = choices.flatMap(({ audio }) => (audio === undefined ? [] : [audio]));
  const lastAudio = audioTracks.at(-1);
  const variants = selections.map((selection) => variantOf(references, selection, choose));
  return {
    variants: variants.filter((variant) => variant !== undefined),
    audio:
      lastAudio === undefined
        ? undefined
        : { channels: lastAudio.audio?.channels ?? 1, silence: lastSilence(audioTracks) },
    leftOut: distinct([...new Set(choices)].flatMap(({ leftOut }) => leftOut)),
    longestMs: references.reduce((ms, { fragment }) => Math.max(ms, fragment.durationMs), 0),
    isIndependent: references.every(({ fragment }) => fragment.isKey),
  };
}

function variantOf(
  all: readonly PlayableFragment[],
  selection: VideoSelection,
  choose: typeof chooseTracks,
): Variant | undefined {
  const references = all.filter((reference) => isSelected(reference, selection, choose));
  if (references.length === 0) return undefined;
  const codecs = new Set<string>();
  const totals = { bytes: 0, durationMs: 0, pictures: 0, bandwidthMax: 0, bandwidthMaxOfShort: 0 };
  let size = { widthPixels: 0, heightPixels: 0 };
  for (const reference of references) {
    const { video, audio } = choose(reference.segment.tracks);
    const played = [selection === 'none' ? undefined : video, audio].filter((track) => track !== undefined);
    for (const track of played) codecs.add(playedCodecString(track) ?? '');
    if (selection !== 'none' && video?.video !== undefined) {
      if (video.video.widthPixels >= size.widthPixels) size = video.video;
      totals.pictures += samplesOf(reference, video);
    }
    const bytes = played.reduce((sum, track) => sum + segmentBytes(reference, track), 0);
    const durationMs = Math.max(1, reference.fragment.durationMs);
    totals.bytes += bytes;
    totals.durationMs += durationMs;
    const bandwidth = (bytes * 8000) / durationMs;
    if (durationMs >= peakDurationMsMin) totals.bandwidthMax = Math.max(totals.bandwidthMax, bandwidth);
    totals.bandwidthMaxOfShort = Math.max(totals.bandwidthMaxOfShort, bandwidth);
  }
  return {
    video: selection,
    codecs: [...codecs],
    widthPixels: size.widthPixels,
    heightPixels: size.heightPixels,
    framesPerSecond: (totals.pictures * 1000) / totals.durationMs,
    bandwidthMax: Math.ceil(totals.bandwidthMax || totals.bandwidthMaxOfShort),
    bandwidthMean: Math.ceil((totals.bytes * 8000) / totals.durationMs),
  };
}

function withoutAudio(choose: typeof chooseTracks): typeof chooseTracks {
  return (tracks) => ({ ...choose(tracks), audio: undefined });
}

function samplesOf(reference: PlayableFragment, track: Track): number {
  return reference.fragment.tracks.find(({ trackNumber }) => trackNumber === track.number)?.samples ?? 0;
}

function segmentBytes(reference: PlayableFragment, track: Track): number {
  const entry = reference.fragment.tracks.find(({ trackNumber }) => trackNumber === track.number);
  if (entry === undefined) return 0;
  const isG711 = track.codec === 'pcmu' || track.codec === 'pcma';
  return entry.payloadBytes * (isG711 ? flacBytesPerG711Byte : 1) + entry.samples * sampleRowBytes + segmentHeadBytes;
}

/** The newest track's format in which silence can be written: a decoder that follows the newest run needs no change. */
function lastSilence(audioTracks: readonly Track[]): string | undefined {
  for (const track of audioTracks.toReversed()) {
    const format = silenceFormatOf(track);
    if (format !== undefined) return format;
  }
  return undefined;
}

function distinct(tracks: readonly LeftOutTrack[]): LeftOutTrack[] {
  return [...new Map(tracks.map((track) => [`${track.trackNumber} ${track.codecId}`, track])).values()];
}
