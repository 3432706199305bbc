/**
 * fMP4 fragments: one moof and one mdat with the samples of one or several tracks. Matroska has presentation times only, so
 * decode times are made here: the i-th sample in decode order decodes at the i-th smallest presentation time of the fragment,
 * and a signed offset (trun version 1) leads from there to its own. So no edit list is needed, no time is ever shifted, and
 * each fragment stands alone.
 *
 * The head's size depends on the number of samples only and the data is the frames as they are stored, so the place of every
 * fragment in a clip, and the clip's length, follow from the fragment table before any media is read.
 */

import { assert } from '../base/assert.ts';
import { appError } from '../base/errors.ts';
import type { Track } from '../model/track.ts';
import { fmp4Timescale } from './fmp4-init.ts';
import { fullBox, u32, u64 } from './mp4-boxes.ts';
import { audioFrameCounter } from './tracks.ts';

/** One sample, in decode order. */
export type Fmp4Sample = {
  readonly presentationTimeUs: number;
  readonly isKey: boolean;
  /** Video: length-prefixed NAL units. Audio: one frame. */
  readonly bytes: Uint8Array;
};

/** What one track contributes to a fragment. */
export type Fmp4TrackSamples = {
  readonly track: Track;
  readonly samples: readonly Fmp4Sample[];
  /** Where the track goes on after this fragment: ends its last picture. Not used for audio. */
  readonly endTimeUs: number;
  /**
   * Video: when each sample decodes, for a piece of a fragment, whose pictures may be shown in another piece. Left out for a
   * whole fragment, which tells it by itself. `endTimeUs` is then where decoding goes on.
   */
  readonly decodeTimesUs?: readonly number[];
  /**
   * Video: decode times lie so much earlier, microseconds, the same in all fragments of a file; 0 when left out. With a lead of
   * the reordering delay no offset is negative, which files for ffmpeg need (see README); presentation times stay.
   */
  readonly decodeLeadUs?: number;
  /** Which of the init segment's sample entries of this track; 1 when left out. */
  readonly sampleDescriptionIndex?: number;
};

export type Fmp4FragmentOptions = {
  /** 1, 2, ... in the order of the file. */
  readonly sequenceNumber: number;
  readonly tracks: readonly Fmp4TrackSamples[];
  /** Added to all times: a clip that begins at media time t has -t. */
  readonly timeOffsetUs?: number;
};

const moofAndMfhdBytes = 8 + 16;
const trafBytes = 8 + 20 + 20 + 20;
const sampleBytes = 16;
const mdatHeadBytes = 8;

const keySample = 0x02000000;
/** Depends on others, and is no sync sample. */
const dependentSample = 0x01010000;

/** Bytes of `fmp4FragmentHead` for tracks with so many samples; a track without samples has no place in the fragment. */
export function fmp4FragmentHeadBytes(sampleCounts: readonly number[]): number {
  const runs = sampleCounts.filter((count) => count > 0).map((count) => trafBytes + sampleBytes * count);
  return runs.reduce((sum, bytes) => sum + bytes, moofAndMfhdBytes + mdatHeadBytes);
}

/**
 * moof and the head of mdat; the samples' bytes follow, track after track, each in decode order.
 *
 * @throws AppError invalid_argument    a time before 0, or more than 4 GB in one fragment
 * @throws AppError data_loss           an audio frame that is no valid one
 */
export function fmp4FragmentHead(options: Fmp4FragmentOptions): Uint8Array {
  const { sequenceNumber, timeOffsetUs = 0 } = options;
  const tracks = options.tracks.filter(({ samples }) => samples.length > 0);
  const byteLength = fmp4FragmentHeadBytes(tracks.map(({ samples }) => samples.length));
  const bytes = new Uint8Array(byteLength);
  const view = new DataView(bytes.buffer);
  writeBoxHead(bytes, 0, byteLength - mdatHeadBytes, 'moof');
  bytes.set(fullBox('mfhd', 0, 0, u32(sequenceNumber)), 8);
  let at = moofAndMfhdBytes;
  let dataOffset = byteLength;
  for (const track of tracks) {
    at = writeTrackRun(bytes, view, at, { ...track, timeOffsetUs, dataOffset });
    dataOffset += track.samples.reduce((sum, sample) => sum + sample.bytes.length, 0);
  }
  const dataBytes = dataOffset - byteLength + mdatHeadBytes;
  if (dataBytes > 0xffff_ffff) throw appError('invalid_argument', 'fragment is over 4 GB', { dataBytes });
  writeBoxHead(bytes, at, dataBytes, 'mdat');
  assert(at + mdatHeadBytes === byteLength, 'a fragment head has the size that was computed');
  return bytes;
}

/** Head and data of a fragment in one new buffer. @throws as `fmp4FragmentHead` */
export function fmp4Fragment(options: Fmp4FragmentOptions): Uint8Array {
  const head = fmp4FragmentHead(options);
  const data = options.tracks.flatMap(({ samples }) => samples.map((sample) => sample.bytes));
  const bytes = new Uint8Array(data.reduce((sum, part) => sum + part.length, head.length));
  bytes.set(head);
  let at = head.length;
  for (const part of data) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

type TrackRun = Fmp4TrackSamples & { readonly timeOffsetUs: number; readonly dataOffset: number };

function writeTrackRun(bytes: Uint8Array, view: DataView, begin: number, run: TrackRun): number {
  const { track, samples, dataOffset } = run;
  const times = sampleTimes(run);
  const trafEnd = begin + trafBytes + sampleBytes * samples.length;
  writeBoxHead(bytes, begin, trafEnd - begin, 'traf');
  // tfhd: default-base-is-moof, sample-description-index-present.
  bytes.set(fullBox('tfhd', 0, 0x020002, u32(track.number, run.sampleDescriptionIndex ?? 1)), begin + 8);
  bytes.set(fullBox('tfdt', 1, 0, u64(times.baseTicks)), begin + 28);
  const trunAt = begin + 48;
  writeBoxHead(bytes, trunAt, trafEnd - trunAt, 'trun');
  // Version 1; data offset, and duration, size, flags and composition offset of each sample.
  view.setUint32(trunAt + 8, 0x01000f01);
  view.setUint32(trunAt + 12, samples.length);
  view.setUint32(trunAt + 16, dataOffset);
  let at = trunAt + 20;
  for (const [i, sample] of samples.entries()) {
    view.setUint32(at, times.durations[i] ?? 0);
    view.setUint32(at + 4, sample.bytes.length);
    view.setUint32(at + 8, sample.isKey ? keySample : dependentSample);
    view.setInt32(at + 12, times.offsets[i] ?? 0);
    at += sampleBytes;
  }
  return at;
}

type SampleTimes = {
  readonly baseTicks: number;
  readonly durations: readonly number[];
  readonly offsets: readonly number[];
};

function sampleTimes({
  track,
  samples,
  endTimeUs,
  decodeTimesUs,
  timeOffsetUs,
  decodeLeadUs = 0,
}: TrackRun): SampleTimes {
  const timescale = fmp4Timescale(track);
  const toTicks = (timeUs: number) => Math.round(((timeUs + timeOffsetUs) / 1_000_000) * timescale);
  const presentation = samples.map((sample) => toTicks(sample.presentationTimeUs));
  if (track.kind === 'audio') {
    // Sound is continuous: durations come from the codec, since rounded times would make clicks of gaps and overlaps.
    const samplesOf = audioFrameCounter(track);
    const durations = samples.map((sample) => samplesOf(sample.bytes));
    return { baseTicks: checkedBase(presentation[0] ?? 0), durations, offsets: [] };
  }
  const shown = decodeTimesUs?.map(toTicks) ?? presentation.toSorted((a, b) => a - b);
  const end = Math.max(shown.at(-1) ?? 0, toTicks(endTimeUs));
  const leadTicks = Math.round((decodeLeadUs / 1_000_000) * timescale);
  return {
    baseTicks: checkedBase((shown[0] ?? 0) - leadTicks),
    durations: shown.map((time, i) => (shown[i + 1] ?? end) - time),
    offsets: presentation.map((time, i) => time - (shown[i] ?? 0) + leadTicks),
  };
}

function checkedBase(ticks: number): number {
  if (ticks < 0) throw appError('invalid_argument', 'fragment begins before time 0', { ticks });
  return ticks;
}

function writeBoxHead(bytes: Uint8Array, at: number, byteLength: number, type: string): void {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, byteLength);
  for (let i = 0; i < 4; i++) bytes[at + 4 + i] = type.charCodeAt(i);
}

/**
 * The reordering delay of these samples, given in decode order: how much later than in the order of presentation one of them
 * comes, microseconds. `decodeLeadUs` of a file is the largest of its fragments, or reordered pictures times their duration.
 */
export function reorderDelayUs(samples: readonly Pick<Fmp4Sample, 'presentationTimeUs'>[]): number {
  const shown = samples.map((sample) => sample.presentationTimeUs).toSorted((a, b) => a - b);
  return samples.reduce((delay, sample, i) => Math.max(delay, (shown[i] ?? 0) - sample.presentationTimeUs), 0);
}
