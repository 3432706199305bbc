/** Tracks and Matroska TrackEntries, in both directions (RFC 9559 5.1.4). What we don't understand is kept as `other`. */

import { appError, isAppError } from '../base/errors.ts';
import { limits } from '../model/limits.ts';
import type { Track, TrackKind } from '../model/track.ts';
import { parseAudioSpecificConfig } from './aac.ts';
import { codecIds } from './codec-ids.ts';
import { type ElementCursor, ebmlIds, element, floatElement, stringElement, unsignedElement } from './ebml.ts';
import { parseWaveFormat } from './g711.ts';
import { h264CodecString, parseAvcC } from './h264.ts';
import { h265CodecString, parseHvcC } from './h265.ts';
import { nalLengthBytes } from './nal.ts';
import { parseOpusHead } from './opus.ts';

/** A track as its TrackEntry tells it, with what a `Track` has no place for. */
export type MatroskaTrack = Track & {
  readonly uid: number | undefined;
  readonly name: string | undefined;
  /** Duration of one frame or field where the producer promises a constant one, nanoseconds. */
  readonly defaultDurationNs: number | undefined;
};

const trackTypes = { video: 1, audio: 2, other: 33 } as const;
/** RFC 7845 4.6, kept by Matroska as SeekPreRoll: decoders need 80 ms to converge. */
const opusSeekPreRollNs = 80_000_000;
const trackNumberMax = 0x0fff_fffe;

/** A track to be written; a producer's name and frame duration are kept where they are known. */
export type TrackToWrite = Track & Partial<Pick<MatroskaTrack, 'name' | 'defaultDurationNs'>>;

/** The TrackEntry element of a track, in a new buffer. */
export function trackEntry(track: TrackToWrite): Uint8Array {
  const parts = [
    unsignedElement(ebmlIds.trackNumber, track.number),
    unsignedElement(ebmlIds.trackUid, track.number),
    unsignedElement(ebmlIds.trackType, trackTypes[track.kind]),
    unsignedElement(ebmlIds.flagLacing, 0),
    stringElement(ebmlIds.language, 'und'),
    stringElement(ebmlIds.codecId, track.codecId),
  ];
  if (track.name !== undefined) parts.push(stringElement(ebmlIds.trackName, track.name));
  if (track.defaultDurationNs !== undefined) {
    parts.push(unsignedElement(ebmlIds.defaultDuration, track.defaultDurationNs));
  }
  if (track.codecPrivate.length > 0) parts.push(element(ebmlIds.codecPrivate, [track.codecPrivate]));
  if (track.codec === 'opus') parts.push(unsignedElement(ebmlIds.seekPreRoll, opusSeekPreRollNs));
  if (track.video !== undefined) {
    const width = unsignedElement(ebmlIds.pixelWidth, track.video.widthPixels);
    parts.push(element(ebmlIds.video, [width, unsignedElement(ebmlIds.pixelHeight, track.video.heightPixels)]));
  }
  if (track.audio !== undefined) parts.push(element(ebmlIds.audio, audioParts(track, track.audio)));
  return element(ebmlIds.trackEntry, parts);
}

/**
 * Reads a Tracks element's children.
 *
 * @throws AppError invalid_argument    a track without number, two with the same, private data that is too long
 * @throws AppError data_loss           it is cut off
 * @throws AppError resource_exhausted  more tracks than a stream may have
 */
export function parseTracks(tracks: ElementCursor): MatroskaTrack[] {
  const result: MatroskaTrack[] = [];
  for (const child = tracks.children(); child.next(); ) {
    if (child.id !== ebmlIds.trackEntry) continue;
    const track = parseTrackEntry(child);
    if (result.some((other) => other.number === track.number)) {
      throw appError('invalid_argument', 'two tracks have the same number', { trackNumber: track.number });
    }
    result.push(track);
    if (result.length > limits.matroskaTracksMax) {
      throw appError('resource_exhausted', 'too many tracks', { tracksMax: limits.matroskaTracksMax });
    }
  }
  return result;
}

function audioParts(track: Track, audio: NonNullable<Track['audio']>): Uint8Array[] {
  const parts = [floatElement(ebmlIds.samplingFrequency, audio.samplingFrequencyHz)];
  if (track.codec === 'aac') {
    const { outputSamplingFrequencyHz } = parseAudioSpecificConfig(track.codecPrivate);
    if (outputSamplingFrequencyHz !== audio.samplingFrequencyHz) {
      parts.push(floatElement(ebmlIds.outputSamplingFrequency, outputSamplingFrequencyHz));
    }
  }
  parts.push(unsignedElement(ebmlIds.channels, audio.channels));
  if (track.codec === 'pcma' || track.codec === 'pcmu') parts.push(unsignedElement(ebmlIds.bitDepth, 8));
  return parts;
}

function parseTrackEntry(entry: ElementCursor): MatroskaTrack {
  let number = 0;
  let uid: number | undefined;
  let name: string | undefined;
  let defaultDurationNs: number | undefined;
  let kind: TrackKind = 'other';
  let codecId = '';
  let codecPrivate = new Uint8Array(0);
  let isEncoded = false;
  let video: { widthPixels: number; heightPixels: number } | undefined;
  let audio: { samplingFrequencyHz: number; channels: number } | undefined;
  for (const child = entry.children(); child.next(); ) {
    if (child.id === ebmlIds.trackNumber) number = child.unsigned();
    else if (child.id === ebmlIds.trackUid) uid = uidOf(child);
    else if (child.id === ebmlIds.trackType) kind = kindOf(child.unsigned());
    else if (child.id === ebmlIds.trackName) name = child.string();
    else if (child.id === ebmlIds.defaultDuration) defaultDurationNs = child.unsigned();
    else if (child.id === ebmlIds.codecId) codecId = child.string();
    else if (child.id === ebmlIds.codecPrivate) codecPrivate = codecPrivateOf(child);
    else if (child.id === ebmlIds.contentEncodings) isEncoded = true;
    else if (child.id === ebmlIds.video) video = parseVideo(child);
    else if (child.id === ebmlIds.audio) audio = parseAudio(child);
  }
  if (number === 0 || number > trackNumberMax) {
    throw appError('invalid_argument', 'track has no valid number', { trackNumber: number });
  }
  const described = { number, uid, name, defaultDurationNs, kind, codecId, codecPrivate };
  return {
    ...described,
    // Compressed or encrypted frames can be kept and given back, but not cut or played.
    ...(isEncoded ? otherCodec : recogniseCodec(codecId, codecPrivate)),
    ...(video === undefined ? {} : { video }),
    ...(audio === undefined ? {} : { audio }),
  };
}

const otherCodec = { codec: 'other', codecString: undefined } as const;

/** Private data that is broken or of an unusual form makes a track `other`: kept untouched, and no player is promised anything. */
function recogniseCodec(codecId: string, codecPrivate: Uint8Array): Pick<Track, 'codec' | 'codecString'> {
  try {
    return parseCodec(codecId, codecPrivate);
  } catch (error) {
    if (isAppError(error)) return otherCodec;
    throw error;
  }
}

function parseCodec(codecId: string, codecPrivate: Uint8Array): Pick<Track, 'codec' | 'codecString'> {
  switch (codecId) {
    case codecIds.h264: {
      const { sps, nalLengthBytes: lengthBytes } = parseAvcC(codecPrivate);
      if (sps[0] === undefined || lengthBytes !== nalLengthBytes) return otherCodec;
      return { codec: 'h264', codecString: h264CodecString(sps[0]) };
    }
    case codecIds.h265: {
      const { sps, nalLengthBytes: lengthBytes } = parseHvcC(codecPrivate);
      if (sps[0] === undefined || lengthBytes !== nalLengthBytes) return otherCodec;
      return { codec: 'h265', codecString: h265CodecString(sps[0]) };
    }
    case codecIds.aac:
      return { codec: 'aac', codecString: `mp4a.40.${parseAudioSpecificConfig(codecPrivate).objectType}` };
    case codecIds.opus:
      parseOpusHead(codecPrivate);
      return { codec: 'opus', codecString: 'opus' };
    case codecIds.acm: {
      const law = parseWaveFormat(codecPrivate)?.law;
      return law === undefined ? otherCodec : { codec: law, codecString: undefined };
    }
    case codecIds.flac:
      return { codec: 'other', codecString: 'flac' };
    default:
      return otherCodec;
  }
}

function parseVideo(video: ElementCursor): { widthPixels: number; heightPixels: number } {
  let widthPixels = 0;
  let heightPixels = 0;
  for (const child = video.children(); child.next(); ) {
    if (child.id === ebmlIds.pixelWidth) widthPixels = child.unsigned();
    if (child.id === ebmlIds.pixelHeight) heightPixels = child.unsigned();
  }
  return { widthPixels, heightPixels };
}

function parseAudio(audio: ElementCursor): { samplingFrequencyHz: number; channels: number } {
  // The standard's defaults (5.1.4.1.29).
  let samplingFrequencyHz = 8000;
  let channels = 1;
  for (const child = audio.children(); child.next(); ) {
    if (child.id === ebmlIds.samplingFrequency) samplingFrequencyHz = child.float();
    if (child.id === ebmlIds.channels) channels = child.unsigned();
  }
  if (!(samplingFrequencyHz > 0) || !Number.isFinite(samplingFrequencyHz)) {
    throw appError('invalid_argument', 'track has no valid sampling frequency');
  }
  return { samplingFrequencyHz, channels };
}

function kindOf(trackType: number): TrackKind {
  return trackType === trackTypes.video ? 'video' : trackType === trackTypes.audio ? 'audio' : 'other';
}

/** UIDs are 64 random bits; one that a number can't hold exactly is of no use to us and left out. */
function uidOf(child: ElementCursor): number | undefined {
  const high = child.end - child.bodyBegin > 6;
  return high ? undefined : child.unsigned();
}

function codecPrivateOf(child: ElementCursor): Uint8Array<ArrayBuffer> {
  const byteLength = child.end - child.bodyBegin;
  if (byteLength > limits.codecPrivateBytesMax) {
    throw appError('invalid_argument', 'codec private data is too long', { byteLength });
  }
  return new Uint8Array(child.body());
}
