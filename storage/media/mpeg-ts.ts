/**
 * MPEG transport stream (ISO/IEC 13818-1) of one fragment: H.264 and AAC muxed together, for players that take no fMP4.
 * Each segment stands alone and yet follows every other: the packets of each PID are a multiple of 16, so continuity counters
 * begin at 0 in every segment and never break between two, whichever come one after the other. Nothing is remembered.
 */

import { appError } from '../base/errors.ts';
import type { Track } from '../model/track.ts';
import { adtsHead } from './adts.ts';
import { type Fmp4Sample, reorderDelayUs } from './fmp4-fragment.ts';
import { patSection, pmtSection, tsPids, tsPrograms } from './mpeg-ts-tables.ts';
import { TsWriter, tsPayloadBytes } from './mpeg-ts-writer.ts';
import { forEachNal, h264NalType, h264NalTypes } from './nal.ts';
import { audioFrameDurationUs, parameterSetsOf } from './tracks.ts';

export type TsTrackSamples = {
  readonly track: Track;
  /** In decode order. Video: length-prefixed NAL units. Audio: raw AAC frames that follow each other. */
  readonly samples: readonly Fmp4Sample[];
};

export type TsSegmentOptions = {
  /** One video, one audio, or both. */
  readonly tracks: readonly TsTrackSamples[];
  /** Added to all times. What comes out may not be below a second: clock references run ahead of the media. */
  readonly timeOffsetUs: number;
};

/** One access unit, or some frames of sound, on its way. */
type Unit = {
  readonly pid: number;
  readonly isVideo: boolean;
  readonly isKey: boolean;
  readonly presentationUs: number;
  readonly decodeUs: number;
  readonly bytes: Uint8Array;
};

/** Frames of sound that go together: clock references of a stream without video must come every 100 ms. */
const soundUnitUs = 90_000;
/** Clock references run so far ahead of decoding: what a decoder may take to buffer the largest picture. */
const clockLeadUs = 500_000;
const startCode = Uint8Array.of(0, 0, 0, 1);
/** Any slice type may follow. */
const delimiter = Uint8Array.of(0, 0, 0, 1, 0x09, 0xf0);
/** Tables so often in a segment: with as many the next segment's counters go on. */
const tableRepetitions = 16;

/** True for a track that can be carried. */
export function isTsTrack(track: Track): boolean {
  return track.codec === 'h264' || track.codec === 'aac';
}

/**
 * Muxes a segment into a new buffer.
 *
 * @throws AppError unimplemented  a codec other than H.264 and AAC
 * @throws AppError data_loss      a broken access unit
 */
export function tsSegment({ tracks, timeOffsetUs }: TsSegmentOptions): Uint8Array {
  const present = tracks.filter(({ samples }) => samples.length > 0);
  const units = present.flatMap((part) => (part.track.kind === 'video' ? pictureUnits(part) : soundUnits(part)));
  units.sort((a, b) => a.decodeUs - b.decodeUs);
  const pids = new Set(units.map(({ pid }) => pid));
  const clockPid = pids.has(tsPids.video) ? tsPids.video : tsPids.audio;
  const lastOf = new Map(units.map((unit, at) => [unit.pid, at]));
  const writer = new TsWriter(packetsMax(units));
  const tables = [
    { pid: tsPids.pat, section: patSection() },
    { pid: tsPids.pmt, section: pmtSection({ clockPid, pids: [...pids].sort((a, b) => a - b) }) },
  ];
  let repeated = 0;
  for (const [at, unit] of units.entries()) {
    for (; repeated < tableRepetitions && repeated * units.length <= at * tableRepetitions; repeated++) {
      for (const { pid, section } of tables) writer.section(pid, section);
    }
    writer.packets(unit.pid, [pesHead(unit, timeOffsetUs), unit.bytes], {
      isRandomAccess: unit.isKey,
      isLast: lastOf.get(unit.pid) === at,
      ...(unit.pid === clockPid ? { clock: ticks(unit.decodeUs + timeOffsetUs - clockLeadUs) } : {}),
    });
  }
  for (; repeated < tableRepetitions; repeated++) {
    for (const { pid, section } of tables) writer.section(pid, section);
  }
  return writer.bytes();
}

function pictureUnits({ track, samples }: TsTrackSamples): Unit[] {
  if (track.codec !== 'h264') throw unsupported(track);
  const shown = samples.map(({ presentationTimeUs }) => presentationTimeUs).sort((a, b) => a - b);
  // Decoding in the order of presentation, early enough for every picture that is shown before an earlier one.
  const delayUs = reorderDelayUs(samples);
  const parameterSets = parameterSetsOf(track);
  return samples.map(({ presentationTimeUs, isKey, bytes }, at) => ({
    pid: tsPids.video,
    isVideo: true,
    isKey,
    presentationUs: presentationTimeUs,
    decodeUs: (shown[at] ?? presentationTimeUs) - delayUs,
    bytes: annexB(bytes, isKey ? parameterSets : []),
  }));
}

/** A delimiter first, then parameter sets where a decoder may begin and the picture brings none, then the picture. */
function annexB(picture: Uint8Array, parameterSets: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let hasParameterSets = false;
  forEachNal(picture, (bytes, begin, end) => {
    const type = h264NalType(bytes[begin] ?? 0);
    if (type === h264NalTypes.delimiter) return;
    hasParameterSets ||= type === h264NalTypes.sps;
    parts.push(startCode, bytes.subarray(begin, end));
  });
  const sets = hasParameterSets ? [] : parameterSets.flatMap((nal) => [startCode, nal]);
  return Buffer.concat([delimiter, ...sets, ...parts]);
}

function soundUnits({ track, samples }: TsTrackSamples): Unit[] {
  if (track.codec !== 'aac') throw unsupported(track);
  const units: Unit[] = [];
  let parts: Uint8Array[] = [];
  let beginUs = 0;
  let lastedUs = 0;
  const flush = () => {
    if (parts.length === 0) return;
    const times = { presentationUs: beginUs, decodeUs: beginUs };
    units.push({ pid: tsPids.audio, isVideo: false, isKey: true, ...times, bytes: Buffer.concat(parts) });
    parts = [];
    lastedUs = 0;
  };
  for (const { presentationTimeUs, bytes } of samples) {
    const durationUs = audioFrameDurationUs(track, bytes);
    if (lastedUs + durationUs > soundUnitUs) flush();
    if (parts.length === 0) beginUs = presentationTimeUs;
    parts.push(adtsHead(track, bytes.length), bytes);
    lastedUs += durationUs;
  }
  flush();
  return units;
}

/** Head of a packetized elementary stream packet (2.4.3.6). Video has no length: an access unit may be too long for one. */
function pesHead(unit: Unit, timeOffsetUs: number): Uint8Array {
  const presentation = ticks(unit.presentationUs + timeOffsetUs);
  const decode = ticks(unit.decodeUs + timeOffsetUs);
  const hasDecode = unit.isVideo && decode !== presentation;
  const times = hasDecode ? [...timestamp(3, presentation), ...timestamp(1, decode)] : [...timestamp(2, presentation)];
  const byteLength = unit.isVideo ? 0 : 3 + times.length + unit.bytes.length;
  return Uint8Array.of(
    ...[0, 0, 1, unit.isVideo ? tsPrograms.videoStreamId : tsPrograms.audioStreamId],
    ...[byteLength >> 8, byteLength & 0xff],
    // Data is aligned: a unit begins here.
    ...[0x84, hasDecode ? 0xc0 : 0x80, times.length],
    ...times,
  );
}

/** 33 bits in five bytes, with marker bits between. */
function timestamp(prefix: number, value: number): number[] {
  const high = Math.floor(value / 2 ** 30) & 0x07;
  const middle = Math.floor(value / 2 ** 15) & 0x7fff;
  const low = value % 2 ** 15;
  return [(prefix << 4) | (high << 1) | 1, middle >> 7, ((middle & 0x7f) << 1) | 1, low >> 7, ((low & 0x7f) << 1) | 1];
}

/** 90 kHz, 33 bits: begins anew after 26.5 hours. */
function ticks(timeUs: number): number {
  const value = Math.round((timeUs * 9) / 100) % 2 ** 33;
  return value < 0 ? value + 2 ** 33 : value;
}

/** Heads have 19 bytes at most, a clock reference takes 8; the last unit of a PID may be spread over 15 packets more. */
function packetsMax(units: readonly Unit[]): number {
  const own = units.reduce((sum, { bytes }) => sum + Math.ceil((bytes.length + 32) / tsPayloadBytes), 0);
  return own + 2 * 16 + 2 * tableRepetitions;
}

function unsupported(track: Track): Error {
  return appError('unimplemented', 'this codec is not carried in transport streams', { codecId: track.codecId });
}
