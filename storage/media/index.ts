/**
 * The door of media: codecs' own descriptions, Matroska in and out, fMP4 out. Pure functions and one incremental reader;
 * no file, no socket, no clock.
 */

export { parseAudioSpecificConfig } from './aac.ts';
export { adtsHead } from './adts.ts';
export { BitReader } from './bit-reader.ts';
export { codecIds } from './codec-ids.ts';
export { ElementCursor, ebmlIds } from './ebml.ts';
export { flacFrameSamples, flacTrack, g711FlacBytes, g711ToFlac } from './flac.ts';
export {
  type Fmp4Sample,
  type Fmp4TrackSamples,
  fmp4Fragment,
  fmp4FragmentHead,
  fmp4FragmentHeadBytes,
  reorderDelayUs,
} from './fmp4-fragment.ts';
export { fmp4Index, fmp4IndexBytes } from './fmp4-index.ts';
export { fmp4Init, fmp4Timescale } from './fmp4-init.ts';
export { type G711Law, g711Table, parseWaveFormat } from './g711.ts';
export { buildAvcC, h264Parameters, h264PpsIds, h264SpsId, parseAvcC } from './h264.ts';
export { buildHvcC, h265Parameters, h265PpsIds, h265SpsId, h265VpsId, parseHvcC } from './h265.ts';
export { isKeyAccessUnit } from './key-access-unit.ts';
export { readCluster } from './matroska-block.ts';
export { type MatroskaHead, readMatroskaHead, readTags, type TagsAt } from './matroska-head.ts';
export { type MatroskaFrame, MatroskaReader, type MatroskaSink } from './matroska-reader.ts';
export {
  clusterHead,
  clusterHeadBytes,
  cuesElement,
  type MatroskaTag,
  matroskaHead,
  segmentDataBegin,
  simpleBlockHeadBytesMax,
  tagsElement,
  untargetedTags,
  writeSimpleBlockHead,
} from './matroska-writer.ts';
export { isTsTrack, type TsTrackSamples, tsSegment } from './mpeg-ts.ts';
export {
  annexBToLengthPrefixed,
  forEachNal,
  h264NalType,
  h264NalTypes,
  h265NalType,
  h265NalTypes,
  joinNals,
  lengthPrefixedToAnnexB,
  nalLengthBytes,
  withoutEmulationPrevention,
  withoutTrailingZeros,
} from './nal.ts';
export { buildOpusHead, opusPacketSamples, opusSamplingFrequencyHz, parseOpusHead } from './opus.ts';
export {
  aacTrack,
  audioClockHz,
  audioFrameCounter,
  audioFrameDurationUs,
  audioFrameSamples,
  g711Track,
  opusTrack,
  parameterSetsOf,
  videoTrack,
} from './tracks.ts';
export type { VideoParameters } from './video-parameters.ts';
