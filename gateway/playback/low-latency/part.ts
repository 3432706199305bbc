/**
 * One part of a fragment, as low-latency HLS wants it: the samples of one track, and its bytes as a CMAF chunk. All parts of a
 * fragment, one after the other, are its media segment: the same samples at the same decode and presentation times. Pure.
 */

import { type Fmp4Sample, fmp4Fragment, fmp4Timescale } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { PlayableSegment } from '../fragment-source.ts';
import { playedSamples, playedTrack, timeOffsetUs } from '../hls/media-segment.ts';
import { silence } from '../media-samples.ts';
import { silentTrack } from '../silence.ts';

export type PartKind = 'video' | 'audio';

/** Times are the run's media time, microseconds. */
export type Part = {
  readonly segment: PlayableSegment;
  readonly track: Track;
  /** As they are played, in decode order. */
  readonly samples: readonly Fmp4Sample[];
  /** Of pictures, each sample's. */
  readonly decodeTimesUs: readonly number[] | undefined;
  /** Of sound: what of the fragment lies before it, and where that began. */
  readonly before: { readonly originUs: number; readonly samples: number };
  readonly beginUs: number;
  readonly endUs: number;
  /** It begins with a key frame, or has sound alone. */
  readonly isIndependent: boolean;
};

export function partDurationMs({ beginUs, endUs }: Part): number {
  return (endUs - beginUs) / 1000;
}

export function partPayloadBytes({ samples }: Part): number {
  return samples.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/** moof and mdat of a part. @param shiftMs  as of `mediaSegments` @throws AppError data_loss  a frame of sound is no valid one */
export function partBytes(
  part: Part,
  { sequenceNumber, shiftMs }: { readonly sequenceNumber: number; readonly shiftMs: number },
): Uint8Array {
  const { segment, decodeTimesUs, endUs } = part;
  const offsetUs = timeOffsetUs(segment, shiftMs);
  const track = playedTrack(part.track);
  const samples = decodeTimesUs === undefined ? continued(part, track, offsetUs) : part.samples;
  const times = decodeTimesUs === undefined ? {} : { decodeTimesUs };
  return fmp4Fragment({
    sequenceNumber: sequenceNumber % 2 ** 32,
    timeOffsetUs: offsetUs,
    tracks: [{ track, samples, endTimeUs: endUs, ...times }],
  });
}

/** A part of silence as long as a part of video, for a run that has no sound. @throws AppError invalid_argument  no such format */
export function silentPartBytes(
  part: Part,
  format: string,
  { sequenceNumber, shiftMs }: { readonly sequenceNumber: number; readonly shiftMs: number },
): Uint8Array {
  const track = silentTrack(format, 1);
  const { beginUs, endUs } = part;
  return fmp4Fragment({
    sequenceNumber: sequenceNumber % 2 ** 32,
    timeOffsetUs: timeOffsetUs(part.segment, shiftMs),
    tracks: [
      {
        track: playedTrack(track),
        samples: playedSamples(track, silence(track, { beginUs, endUs })),
        endTimeUs: endUs,
      },
    ],
  });
}

/** Sound goes on at the very tick of its clock at which the part before ended, however its first time would be rounded. */
function continued({ samples, before }: Part, track: Track, offsetUs: number): readonly Fmp4Sample[] {
  const [first, ...rest] = samples;
  if (first === undefined) return samples;
  const timescale = fmp4Timescale(track);
  const ticks = Math.round(((before.originUs + offsetUs) / 1_000_000) * timescale) + before.samples;
  return [{ ...first, presentationTimeUs: (ticks / timescale) * 1_000_000 - offsetUs }, ...rest];
}
