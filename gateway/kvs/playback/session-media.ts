/** Media of a session's fragments: fMP4 of one track, and the tracks of a transport stream. */

import type { Fmp4Sample, TsTrackSamples } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import {
  clusterSamples,
  continuousSound,
  type FragmentSource,
  fragmentSpanUs,
  mediaSegments,
  type PlayableFragment,
  silence,
  silentSegment,
} from '../../playback/index.ts';
import type { PlayedTracks } from './media-form.ts';

export type Mp4Wanted = {
  /** The media time of the fragment's beginning, milliseconds. */
  readonly beginMs: number;
  readonly track: Track | undefined;
  /** What there is silence in, where there is no track. */
  readonly silent: Track | undefined;
};

/** moof and mdat. @throws AppError data_loss  the cluster is damaged */
export async function mp4Fragment(
  source: FragmentSource,
  reference: PlayableFragment,
  { beginMs, track, silent }: Mp4Wanted,
): Promise<Uint8Array> {
  const { fragment, segment } = reference;
  // Segments have times of the run's beginning plus media time, less the shift; nothing may begin before 0.
  const offsetMs = Math.max(beginMs - fragment.mediaTimeMs, -earliestMs(reference));
  const shiftMs = Math.round(segment.runStartServerMs) - Math.round(offsetMs);
  if (track === undefined) return silent === undefined ? new Uint8Array() : silentSegment(reference, silent, shiftMs);
  const made = mediaSegments(reference, await source.clusterBytes(reference), shiftMs).get(track.number);
  return made ?? new Uint8Array();
}

/** Samples of what a transport stream carries, sound without holes. */
export async function tsTracks(
  source: FragmentSource,
  reference: PlayableFragment,
  { video, audio, silent }: PlayedTracks & { readonly silent: Track | undefined },
): Promise<TsTrackSamples[]> {
  const byTrack = clusterSamples(await source.clusterBytes(reference), reference.segment);
  const span = fragmentSpanUs(reference.fragment);
  const samplesOf = (track: Track): readonly Fmp4Sample[] => byTrack.get(track.number) ?? [];
  return [
    ...(video === undefined ? [] : [{ track: video, samples: samplesOf(video) }]),
    ...(audio === undefined ? [] : [{ track: audio, samples: continuousSound(audio, samplesOf(audio), span) }]),
    ...(silent === undefined ? [] : [{ track: silent, samples: silence(silent, span) }]),
  ];
}

function earliestMs({ fragment }: PlayableFragment): number {
  return fragment.tracks.reduce((ms, row) => Math.min(ms, row.beginMediaMs), fragment.mediaTimeMs);
}
