/** fMP4 initialisation: ftyp and moov of a file whose samples all come in fragments. */

import { appError } from '../base/errors.ts';
import type { Track } from '../model/track.ts';
import { box, fullBox, text, u16, u32, u64, zeros } from './mp4-boxes.ts';
import { mediaHandler, sampleEntry } from './mp4-sample-entry.ts';
import { audioClockHz } from './tracks.ts';

/** Units of all video times: the RTP clock, so that 1 ms is a whole number of them, and 29.97 pictures a second too. */
const videoTimescale = 90_000;
const movieTimescale = 1_000;
const secondsFrom1904To1970 = 2_082_844_800;
const identityMatrix = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);

/** Units of a second in which the fragments of this track count: 90,000 for video, samples for audio. */
export function fmp4Timescale(track: Track): number {
  return track.kind === 'audio' ? audioClockHz(track) : videoTimescale;
}

/**
 * The initialisation segment.
 *
 * @param tracks  in the order of the file; several with the same number become sample entries 1, 2, ... of one track, for
 *                clips over a change of codec or size (`sampleDescriptionIndex` of a fragment picks one)
 * @param options.durationMs  length of a clip, so that players show it at once; leave out when live
 * @param options.createdMs   when the media were recorded, milliseconds since 1970 UTC: what players show as creation time
 * @throws AppError unimplemented     a codec that no browser plays in MP4
 * @throws AppError invalid_argument  no tracks, or tracks of one number that can't share a time scale
 */
export function fmp4Init(
  tracks: readonly Track[],
  options: { readonly durationMs?: number; readonly createdMs?: number } = {},
): Uint8Array {
  const groups = new Map<number, Track[]>();
  for (const track of tracks) {
    const group = groups.get(track.number);
    if (group === undefined) groups.set(track.number, [track]);
    else group.push(track);
  }
  if (groups.size === 0) throw appError('invalid_argument', 'MP4 needs a track');
  const { durationMs, createdMs } = options;
  const moov = box(
    'moov',
    movieHeader(Math.max(...groups.keys()) + 1, creationTime(createdMs)),
    ...[...groups.values()].map(trackBox),
    box(
      'mvex',
      ...(durationMs === undefined ? [] : [fullBox('mehd', 1, 0, u64(Math.round(durationMs)))]),
      // Every sample's flags stand in its fragment, so the defaults are zeros but for the first sample entry.
      ...[...groups.keys()].map((number) => fullBox('trex', 0, 0, u32(number, 1, 0, 0, 0))),
    ),
  );
  return Buffer.concat([fileType(groups.size), moov]);
}

function fileType(tracks: number): Uint8Array {
  // CMAF asks for one track a file.
  return box('ftyp', text('iso6'), u32(1), text(tracks === 1 ? 'iso6cmfcmp41' : 'iso6mp41'));
}

/** Seconds since 1904; 0 stands for unknown, and for times after 2040, which 32 bits don't hold. */
function creationTime(createdMs: number | undefined): number {
  const seconds = createdMs === undefined ? 0 : Math.floor(createdMs / 1000) + secondsFrom1904To1970;
  return seconds <= 0xffff_ffff ? seconds : 0;
}

function movieHeader(nextTrackId: number, created: number): Uint8Array {
  const rateAndVolume = [u32(0x10000), u16(0x100), zeros(10)];
  return fullBox(
    'mvhd',
    0,
    0,
    u32(created, created, movieTimescale, 0),
    ...rateAndVolume,
    identityMatrix,
    zeros(24),
    u32(nextTrackId),
  );
}

function trackBox(group: readonly Track[]): Uint8Array {
  const [track] = group;
  if (track === undefined) throw appError('invalid_argument', 'MP4 needs a track');
  const timescale = fmp4Timescale(track);
  if (group.some((other) => other.kind !== track.kind || fmp4Timescale(other) !== timescale)) {
    throw appError('invalid_argument', 'sample entries of one track need one kind and time scale', {
      trackNumber: track.number,
    });
  }
  const { handler, header } = mediaHandler(track);
  const dataInformation = box('dinf', fullBox('dref', 0, 0, u32(1), fullBox('url ', 0, 1)));
  const sampleTable = box(
    'stbl',
    fullBox('stsd', 0, 0, u32(group.length), ...group.map(sampleEntry)),
    fullBox('stts', 0, 0, u32(0)),
    fullBox('stsc', 0, 0, u32(0)),
    fullBox('stsz', 0, 0, u32(0, 0)),
    fullBox('stco', 0, 0, u32(0)),
  );
  const mediaHeader = fullBox('mdhd', 0, 0, u32(0, 0, timescale, 0), u16(languageUndetermined, 0));
  return box(
    'trak',
    trackHeader(track),
    box('mdia', mediaHeader, handler, box('minf', header, dataInformation, sampleTable)),
  );
}

/** `und`, five bits a letter. */
const languageUndetermined = 0x55c4;

function trackHeader(track: Track): Uint8Array {
  const isAudio = track.kind === 'audio';
  const { widthPixels = 0, heightPixels = 0 } = track.video ?? {};
  const flags = 7; // enabled, in the movie, in its preview
  const volume = isAudio ? 0x100 : 0;
  const size = u32(widthPixels * 0x10000, heightPixels * 0x10000);
  return fullBox('tkhd', 0, flags, u32(0, 0, track.number, 0, 0), zeros(8), u16(0, 0, volume, 0), identityMatrix, size);
}
