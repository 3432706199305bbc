/** The door of playback: playlists, media segments, clips, pictures and timelines of a stream, without any HTTP. */

export { type ByteRange, type Clip, type ClipOptions, Clips } from './clip/clips.ts';
export type { RunningConversion } from './convert/conversion-budget.ts';
export { Conversions, type ConversionsFigures } from './convert/conversions.ts';
export type { FragmentSource, PlayableFragment, PlayableSegment, TimeRange } from './fragment-source.ts';
export { Hls, type HlsAnswer, type HlsRequest } from './hls/hls.ts';
export { Images, type Picture, type PictureAtOptions, type PictureOptions, pictureWidths } from './images/images.ts';
export { PictureDecoders } from './images/picture-decoders.ts';
export { keyAlignedFragments } from './key-aligned.ts';
export type { LeftOutTrack } from './playable-tracks.ts';
export { type ShownGap, type Timeline, type TimelineGap, type TimelineInput, timelineOf } from './timeline.ts';
