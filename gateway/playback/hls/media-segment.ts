/** Remuxes stored fragments to fMP4: initialization and media segments of one track. Pure. */

import {
  type Fmp4Sample,
  flacTrack,
  fmp4Fragment,
  fmp4Init,
  g711ToFlac,
  parseWaveFormat,
} from '../../../storage/media/index.ts';
import { fragmentNumberParts } from '../../../storage/model/fragment-number.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { PlayableFragment } from '../fragment-source.ts';
import { clusterSamples, continuousSound, fragmentSpanUs, silence } from '../media-samples.ts';
import { chooseTracks } from '../playable-tracks.ts';

/** Times in fMP4 are unsigned, and a run's first frames may lie before its media time 0: by less than a fragment's wait. */
const timeOffsetUs = 10_000_000;

/** ftyp and moov of one track. G.711 becomes FLAC. @throws AppError unimplemented  players cannot take the codec */
export function initSegment(track: Track): Uint8Array {
  return fmp4Init([playedTrack(track)]);
}

/**
 * The media segments of all playable tracks of a fragment, by track number: one pass over the cluster serves video and audio.
 * Audio that is missing in the fragment is silence.
 *
 * @throws AppError data_loss  the cluster is damaged
 */
export function mediaSegments(reference: PlayableFragment, cluster: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const { video, audio } = chooseTracks(reference.segment.tracks);
  const byTrack = clusterSamples(cluster, reference.segment);
  const segments = new Map<number, Uint8Array>();
  if (video !== undefined) {
    segments.set(video.number, segmentOf(reference, video, byTrack.get(video.number) ?? []));
  }
  if (audio !== undefined) {
    const sound = continuousSound(audio, byTrack.get(audio.number) ?? [], fragmentSpanUs(reference));
    segments.set(audio.number, segmentOf(reference, audio, sound));
  }
  return segments;
}

/** A segment of silence as long as a fragment, for a run that has no sound. */
export function silentSegment(reference: PlayableFragment, track: Track): Uint8Array {
  return segmentOf(reference, track, silence(track, fragmentSpanUs(reference)));
}

function segmentOf(reference: PlayableFragment, track: Track, samples: readonly Fmp4Sample[]): Uint8Array {
  const { fragment } = reference;
  const endMediaMs = fragment.tracks.find(({ trackNumber }) => trackNumber === track.number)?.endMediaMs;
  return fmp4Fragment({
    sequenceNumber: fragmentNumberParts(fragment.number).counter % 2 ** 32,
    timeOffsetUs,
    tracks: [
      {
        track: playedTrack(track),
        samples: playedSamples(track, samples),
        endTimeUs: (endMediaMs ?? fragment.mediaTimeMs + fragment.durationMs) * 1000,
      },
    ],
  });
}

function playedTrack(track: Track): Track {
  return isG711(track) ? flacTrack(track) : track;
}

function playedSamples(track: Track, samples: readonly Fmp4Sample[]): readonly Fmp4Sample[] {
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
