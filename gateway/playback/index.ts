/** The door of playback: playlists, media segments, clips, pictures and timelines of a stream, without any HTTP. */

export {
  type AbsenceRows,
  type Absences,
  absenceCellMs,
  absencesOf,
  absenceText,
  absenceWithin,
  absentMsByText,
  readAbsences,
} from './absences.ts';
export { ByteCache } from './byte-cache.ts';
export { type Clip, Clips } from './clip/clips.ts';
export { isDiscontinuity } from './continuity.ts';
export type { RunningConversion } from './convert/conversion-budget.ts';
export { Conversions } from './convert/conversions.ts';
export type { Encoder } from './convert/encoders.ts';
export { convertedSize, runningArguments } from './convert/encoding-arguments.ts';
export { type FragmentSource, fragmentEnd, type PlayableFragment, type TimeRange } from './fragment-source.ts';
export { Hls, type HlsRequest } from './hls/hls.ts';
export { initSegment, mediaSegments, silentSegment } from './hls/media-segment.ts';
export { renditionsOf } from './hls/renditions.ts';
export { FragmentPictures, type PictureForm } from './images/fragment-pictures.ts';
export { Images } from './images/images.ts';
export { PictureDecoders } from './images/picture-decoders.ts';
export { keyAlignedFragments } from './key-aligned.ts';
export { type LiveSocket, type LiveSocketRequest, LiveSockets, type Permission } from './live-socket/live-sockets.ts';
export { type LiveMessage, liveCloseCodes } from './live-socket/messages.ts';
export { LowLatency, type LowLatencyFigures } from './low-latency/low-latency.ts';
export { clusterSamples, continuousSound, fragmentSpanUs, silence } from './media-samples.ts';
export { chooseTracks, playedCodecString } from './playable-tracks.ts';
export { silenceFormatOf, silentFrame, silentTrack } from './silence.ts';
export { type TimelineGap, timelineOf } from './timeline.ts';
