/**
 * Sample entries: what an MP4 player reads to set its decoder up.
 *
 * Video is `avc1` and `hvc1`, not `avc3` and `hev1`, although parameter sets stay in band too. By the letter only the latter
 * permit that, but Safari plays no `hev1` at all and `avc3` not everywhere, while all decoders of browsers take sets in band
 * under either name. The sample entry holds the sets as well, so a player that reads only those is right until they change,
 * and a change that matters (profile, size, chroma) begins a new run with an init segment of its own.
 */

import { appError, isAppError } from '../base/errors.ts';
import type { Track } from '../model/track.ts';
import { parseAudioSpecificConfig } from './aac.ts';
import { isFlacTrack, streamInfoOf } from './flac.ts';
import { h264Parameters, parseAvcC } from './h264.ts';
import { h265Parameters, parseHvcC } from './h265.ts';
import { box, fullBox, text, u8, u16, u32, zeros } from './mp4-boxes.ts';
import { parseOpusHead } from './opus.ts';
import { audioClockHz } from './tracks.ts';

/** The stsd child of one track. @throws AppError unimplemented  no browser plays this codec in MP4 */
export function sampleEntry(track: Track): Uint8Array {
  switch (track.codec) {
    case 'h264':
      return videoEntry(track, { type: 'avc1', configuration: 'avcC' });
    case 'h265':
      return videoEntry(track, { type: 'hvc1', configuration: 'hvcC' });
    case 'aac':
      return audioEntry(track, 'mp4a', elementaryStream(track));
    case 'opus':
      return audioEntry(track, 'Opus', opusSpecific(track));
    default:
      if (isFlacTrack(track)) return audioEntry(track, 'fLaC', flacSpecific(track));
      throw appError('unimplemented', 'codec has no place in MP4', {
        codecId: track.codecId,
        trackNumber: track.number,
      });
  }
}

function videoEntry(track: Track, names: { readonly type: string; readonly configuration: string }): Uint8Array {
  const { widthPixels, heightPixels } = track.video ?? { widthPixels: 0, heightPixels: 0 };
  return box(
    names.type,
    zeros(6),
    u16(1), // data_reference_index
    zeros(16),
    u16(widthPixels, heightPixels),
    u32(0x480000, 0x480000, 0), // 72 dpi
    u16(1), // frames in a sample
    zeros(32), // compressor name
    u16(24, 0xffff),
    box(names.configuration, track.codecPrivate),
    ...pixelAspect(track),
  );
}

/** Cameras' sub streams often have pixels that are not square (704x576 for 16:9): players want to be told outside the stream. */
function pixelAspect(track: Track): Uint8Array[] {
  try {
    const aspect = track.codec === 'h264' ? h264Aspect(track.codecPrivate) : h265Aspect(track.codecPrivate);
    return aspect === undefined ? [] : [box('pasp', u32(aspect.width, aspect.height))];
  } catch (error) {
    // A producer's sets that we can't read may still suit the player's decoder.
    if (isAppError(error)) return [];
    throw error;
  }
}

function h264Aspect(avcC: Uint8Array) {
  const { sps, pps } = parseAvcC(avcC);
  return sps[0] === undefined ? undefined : h264Parameters(sps[0], pps).sampleAspect;
}

function h265Aspect(hvcC: Uint8Array) {
  const { vps, sps, pps } = parseHvcC(hvcC);
  return vps[0] === undefined || sps[0] === undefined ? undefined : h265Parameters(vps[0], sps[0], pps).sampleAspect;
}

function audioEntry(track: Track, type: string, specific: Uint8Array): Uint8Array {
  const samplingFrequencyHz = audioClockHz(track);
  // 16.16 fixed point: rates above 65,535 Hz stand in the codec's own box only.
  const rate = samplingFrequencyHz > 0xffff ? 0 : samplingFrequencyHz;
  return box(type, zeros(6), u16(1), zeros(8), u16(track.audio?.channels ?? 2, 16), zeros(4), u16(rate, 0), specific);
}

/** esds (ISO/IEC 14496-1 7.2.6): each descriptor is tag, length, content; ours are short enough for one length byte. */
function elementaryStream(track: Track): Uint8Array {
  parseAudioSpecificConfig(track.codecPrivate);
  if (track.codecPrivate.length > 64) throw appError('invalid_argument', 'audio specific config is too long');
  const specific = descriptor(5, track.codecPrivate);
  // MPEG-4 audio, audio stream; buffer size and bit rates unspecified.
  const decoder = descriptor(4, u8(0x40, 0x15, 0, 0, 0), u32(0, 0), specific);
  return fullBox('esds', 0, 0, descriptor(3, u16(track.number), u8(0), decoder, descriptor(6, u8(2))));
}

function descriptor(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  return Buffer.concat([u8(tag, content.length), content]);
}

/** dOps (Encapsulation of Opus in ISO base media 4.3.2): OpusHead in big endian, without its magic. */
function opusSpecific(track: Track): Uint8Array {
  const head = parseOpusHead(track.codecPrivate);
  const gain = u16(head.outputGain & 0xffff);
  const numbers = [u8(0, head.channels), u16(head.preSkipSamples), u32(head.inputFrequencyHz), gain];
  return box('dOps', ...numbers, u8(head.mappingFamily), head.mapping);
}

/** dfLa: the STREAMINFO block, marked as the last one. */
function flacSpecific(track: Track): Uint8Array {
  const streamInfo = streamInfoOf(track);
  return fullBox('dfLa', 0, 0, u8(0x80, 0, 0, streamInfo.length), streamInfo);
}

/** Name of the media for hdlr, and its media header. */
export function mediaHandler(track: Track): { readonly handler: Uint8Array; readonly header: Uint8Array } {
  const isVideo = track.kind === 'video';
  const handler = fullBox('hdlr', 0, 0, zeros(4), text(isVideo ? 'vide' : 'soun'), zeros(12), text('Weir\0'));
  return { handler, header: isVideo ? fullBox('vmhd', 0, 1, zeros(8)) : fullBox('smhd', 0, 0, zeros(4)) };
}
