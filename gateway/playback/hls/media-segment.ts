/** Remuxes stored fragments to fMP4: initialization and media segments of one track. Pure. */

import {
  type Fmp4Sample,
  flacTrack,
  fmp4Fragment,
  fmp4Init,
  g711ToFlac,
  joinNals,
  parameterSetsOf,
  parseWaveFormat,
} from '../../../storage/media/index.ts';
import { fragmentNumberParts } from '../../../storage/model/fragment-number.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { PlayableFragment } from '../fragment-source.ts';
import { clusterSamples, continuousSound, fragmentSpanUs, silence } from '../media-samples.ts';
import { hasParameterSets, withParameterSets } from '../parameter-sets.ts';
import { chooseTracks } from '../playable-tracks.ts';

const playedTrackNumber = 1;

/** ftyp and moov of one track. G.711 becomes FLAC. @throws AppError unimplemented  players cannot take the codec */
export function initSegment(track: Track): Uint8Array {
  return fmp4Init([playedTrack(track)]);
}

/**
 * The media segments of all playable tracks of a fragment, by track number: one pass over the cluster serves video and audio.
 * Audio that is missing in the fragment is silence.
 *
 * @param shiftMs  taken from all times: a sub stream lies beside its main one
 * @throws AppError data_loss  the cluster is damaged
 */
export function mediaSegments(
  reference: PlayableFragment,
  cluster: Uint8Array,
  shiftMs = 0,
): ReadonlyMap<number, Uint8Array> {
  const { video, audio } = chooseTracks(reference.segment.tracks);
  const byTrack = clusterSamples(cluster, reference.segment);
  const segments = new Map<number, Uint8Array>();
  if (video !== undefined) {
    const pictures = withOwnParameterSets(video, byTrack.get(video.number) ?? []);
    segments.set(video.number, segmentOf(reference, { track: video, samples: pictures, shiftMs }));
  }
  if (audio !== undefined) {
    const sound = continuousSound(audio, byTrack.get(audio.number) ?? [], fragmentSpanUs(reference.fragment));
    segments.set(audio.number, segmentOf(reference, { track: audio, samples: sound, shiftMs }));
  }
  return segments;
}

/** A segment of silence as long as a fragment, for a run that has no sound. */
export function silentSegment(reference: PlayableFragment, track: Track, shiftMs = 0): Uint8Array {
  return segmentOf(reference, { track, samples: silence(track, fragmentSpanUs(reference.fragment)), shiftMs });
}

function segmentOf(
  reference: PlayableFragment,
  {
    track,
    samples,
    shiftMs,
  }: { readonly track: Track; readonly samples: readonly Fmp4Sample[]; readonly shiftMs: number },
): Uint8Array {
  const { fragment } = reference;
  const endMediaMs = fragment.tracks.find(({ trackNumber }) => trackNumber === track.number)?.endMediaMs;
  return fmp4Fragment({
    sequenceNumber: fragmentNumberParts(fragment.number).counter % 2 ** 32,
    timeOffsetUs: timeOffsetUs(reference.segment, shiftMs),
    tracks: [
      {
        track: playedTrack(track),
        samples: playedSamples(track, samples),
        endTimeUs: (endMediaMs ?? fragment.mediaTimeMs + fragment.durationMs) * 1000,
      },
    ],
  });
}

/**
 * What is added to a run's media time. Players get it as wall time: it is never negative, goes up over all runs, and needs no
 * state. ffmpeg drops what seems to go back in time, whatever discontinuity tags say.
 */
export function timeOffsetUs(segment: PlayableFragment['segment'], shiftMs: number): number {
  return (Math.round(segment.runStartServerMs) - shiftMs) * 1000;
}

/** The first picture has its parameter sets with it: where runs change, ffmpeg does not read the new initialization. */
export function withOwnParameterSets(track: Track, samples: readonly Fmp4Sample[]): readonly Fmp4Sample[] {
  const [first, ...rest] = samples;
  if (first === undefined || !first.isKey || hasParameterSets(track.codec, first.bytes)) return samples;
  const parameterSets = joinNals(parameterSetsOf(track));
  return [{ ...first, bytes: withParameterSets(track.codec, first.bytes, parameterSets) }, ...rest];
}

/** All files of a rendition have one track number, whatever the runs' own are: ffmpeg reads only the first initialization. */
export function playedTrack(track: Track): Track {
  return { ...(isG711(track) ? flacTrack(track) : track), number: playedTrackNumber };
}

/** Samples as players take them: frames of G.711 as FLAC. */
export function playedSamples(track: Track, samples: readonly Fmp4Sample[]): readonly Fmp4Sample[] {
  const format = isG711(track) ? parseWaveFormat(track.codecPrivate) : undefined;
  if (format === undefined) return samples;
  // Silence is the same bytes again and again.
  const converted = new Map<Uint8Array, Uint8Array>();
  return samples.map((sample) => {
    const bytes = converted.get(sample.bytes) ?? g711ToFlac(format, sample.bytes);
    converted.set(sample.bytes, bytes);
    return { ...sample, bytes };
  });
}

function isG711(track: Track): boolean {
  return track.codec === 'pcmu' || track.codec === 'pcma';
}
