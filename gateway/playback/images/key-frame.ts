/** Finds the key frame for a moment in a fragment and writes it as a decoder wants it. Pure. */

import { appError, isAppError } from '../../../storage/base/errors.ts';
import {
  forEachNal,
  h264NalType,
  h264NalTypes,
  h264Parameters,
  h265NalType,
  h265NalTypes,
  parameterSetsOf,
  parseAvcC,
  readCluster,
} from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { PlayableFragment } from '../fragment-source.ts';
import { withImmediateOutput } from './immediate-output.ts';
import { onePicture } from './one-picture.ts';

/** A key frame of a fragment; `bytes` is a view into the cluster. */
export type KeyFrame = {
  /** Server time at which it is shown, milliseconds since 1970 UTC. */
  readonly serverTimestampMs: number;
  /** Its place among the fragment's key frames. */
  readonly index: number;
  /** Length-prefixed NAL units. */
  readonly bytes: Uint8Array;
};

const startCode = Uint8Array.of(0, 0, 0, 1);
/**
 * Access unit delimiters tell the decoder's parser that the picture is whole. The end of sequence before the H.265 one makes
 * the next picture the first of its sequence, so that a clean random access picture needs no earlier one.
 */
const ends = {
  h264: Uint8Array.of(0, 0, 0, 1, 0x09, 0xf0),
  h265: Uint8Array.of(0, 0, 0, 1, 0x48, 0x01, 0, 0, 0, 1, 0x46, 0x01, 0x10),
} as const;

/** All key frames of a video track in a cluster, in order. */
export function keyFramesOf(reference: PlayableFragment, cluster: Uint8Array, track: Track): KeyFrame[] {
  const { fragment, segment } = reference;
  const { timecode, blocks } = readCluster(cluster);
  return blocks
    .filter((block) => block.isKey && block.trackNumber === track.number)
    .map((block, index) => ({
      serverTimestampMs:
        fragment.serverTimestampMs +
        ((timecode + block.relative) * segment.timecodeScaleNs) / 1e6 -
        fragment.mediaTimeMs,
      index,
      bytes: cluster.subarray(block.begin, block.end),
    }));
}

/**
 * Whether a track's key frames may be pairs of fields, the second of which refers to the first. They are not told from two
 * pictures without reading all of their heads, so nobody else may share their decoder.
 */
export function needsOwnDecoder(track: Track): boolean {
  if (track.codec === 'h265') return false;
  try {
    const [sps] = parseAvcC(track.codecPrivate).sps;
    return sps === undefined || h264Parameters(sps, []).isInterlaced;
  } catch (error) {
    if (isAppError(error)) return true;
    throw error;
  }
}

/**
 * Parameter sets, key frame and an end mark in Annex B form: everything for one picture, and for no more than one where decoders
 * are shared.
 *
 * @throws AppError data_loss  all of it refers to other pictures
 */
export function decoderInput(track: Track, frame: Uint8Array): Uint8Array {
  const codec = track.codec === 'h265' ? 'h265' : 'h264';
  const nals: Uint8Array[] = [...parameterSetsOf(track)];
  forEachNal(frame, (bytes, begin, end) => {
    const nal = bytes.subarray(begin, end);
    if (!isDelimiter(codec, nal)) nals.push(nal);
  });
  const shown = needsOwnDecoder(track) ? nals : onePicture(codec, nals);
  if (shown.length === 0) throw appError('data_loss', 'the key frame has no picture of its own', { codec });
  return Buffer.concat([...shown.flatMap((nal) => [startCode, withImmediateOutput(codec, nal)]), ends[codec]]);
}

function isDelimiter(codec: 'h264' | 'h265', nal: Uint8Array): boolean {
  const first = nal[0] ?? 0;
  return codec === 'h264'
    ? h264NalType(first) === h264NalTypes.delimiter
    : h265NalType(first) === h265NalTypes.delimiter;
}
