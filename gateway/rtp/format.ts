/** How a track travels by RTP: payload type, clock and the words that a session description needs. Pure. */

import { audioClockHz, h264NalType, h264NalTypes, parameterSetsOf, parseHvcC } from '../../storage/media/index.ts';
import type { Track } from '../../storage/model/track.ts';

export type RtpCodec = 'h264' | 'h265' | 'aac' | 'opus' | 'pcmu' | 'pcma';

export type RtpFormat = {
  readonly track: Track;
  readonly codec: RtpCodec;
  readonly kind: 'video' | 'audio';
  readonly payloadType: number;
  readonly clockHz: number;
  /** Of `a=rtpmap`: `H264/90000`. */
  readonly map: string;
  /** Of `a=fmtp`, or undefined. */
  readonly parameters: string | undefined;
};

/** Dynamic types: one for each kind, since a session has one of each. */
const payloadTypes = { video: 96, audio: 97 } as const;
const staticTypes = { pcmu: 0, pcma: 8 } as const;
const videoClockHz = 90_000;

/** Formats of the tracks that RTP can carry, video first; other tracks are left out. */
export function rtpFormatsOf(tracks: readonly Track[]): readonly RtpFormat[] {
  const formats = tracks.map(rtpFormatOf).filter((format) => format !== undefined);
  return formats.sort((a, b) => (a.kind === b.kind ? 0 : a.kind === 'video' ? -1 : 1));
}

/** True when a reader of the one can go on with the other: pictures bring their parameter sets along, sound does not. */
export function isSameFormat(a: RtpFormat, b: RtpFormat): boolean {
  const isSame = a.codec === b.codec && a.payloadType === b.payloadType && a.map === b.map;
  return isSame && (a.kind === 'video' || a.parameters === b.parameters);
}

function rtpFormatOf(track: Track): RtpFormat | undefined {
  switch (track.codec) {
    case 'h264':
      return video(track, 'h264', 'H264', h264Parameters(track));
    case 'h265':
      return video(track, 'h265', 'H265', h265Parameters(track));
    case 'aac':
      return audio(track, 'aac', 'mpeg4-generic', aacParameters(track));
    case 'opus':
      // RFC 7587: always 48,000 and 2 in the map, whatever is inside.
      return {
        ...{ track, codec: 'opus', kind: 'audio', payloadType: payloadTypes.audio, clockHz: 48_000 },
        map: 'opus/48000/2',
        parameters: track.audio?.channels === 2 ? 'sprop-stereo=1' : undefined,
      };
    case 'pcmu':
    case 'pcma':
      return g711(track, track.codec);
    case 'other':
      return undefined;
  }
}

function video(track: Track, codec: RtpCodec, name: string, parameters: string): RtpFormat {
  const map = `${name}/${videoClockHz}`;
  return { track, codec, kind: 'video', payloadType: payloadTypes.video, clockHz: videoClockHz, map, parameters };
}

function audio(track: Track, codec: RtpCodec, name: string, parameters: string | undefined): RtpFormat {
  const clockHz = audioClockHz(track);
  const map = `${name}/${clockHz}${channelsText(track)}`;
  return { track, codec, kind: 'audio', payloadType: payloadTypes.audio, clockHz, map, parameters };
}

function g711(track: Track, codec: 'pcmu' | 'pcma'): RtpFormat {
  const format = audio(track, codec, codec.toUpperCase(), undefined);
  const isStatic = format.clockHz === 8_000 && (track.audio?.channels ?? 1) === 1;
  return isStatic ? { ...format, payloadType: staticTypes[codec] } : format;
}

/** One channel is not told: RFC 4566 takes it for granted. */
function channelsText(track: Track): string {
  const channels = track.audio?.channels ?? 1;
  return channels === 1 ? '' : `/${channels}`;
}

/** RFC 6184 8.1: single units and FU-A make mode 1. */
function h264Parameters(track: Track): string {
  const sets = setsOf(track);
  const sps = sets.find((set) => h264NalType(set[0] ?? 0) === h264NalTypes.sps);
  const profile = sps === undefined ? [] : [`profile-level-id=${Buffer.from(sps.subarray(1, 4)).toString('hex')}`];
  const sprop = sets.length === 0 ? [] : [`sprop-parameter-sets=${sets.map(base64).join(',')}`];
  return ['packetization-mode=1', ...profile, ...sprop].join('; ');
}

/** RFC 7798 7.1. */
function h265Parameters(track: Track): string {
  try {
    const { vps, sps, pps } = parseHvcC(track.codecPrivate);
    const told = { 'sprop-vps': vps, 'sprop-sps': sps, 'sprop-pps': pps };
    const parts = Object.entries(told).filter(([, sets]) => sets.length > 0);
    return parts.map(([name, sets]) => `${name}=${sets.map(base64).join(',')}`).join('; ');
  } catch {
    return '';
  }
}

/** RFC 3640 3.3.6. */
function aacParameters(track: Track): string {
  const config = Buffer.from(track.codecPrivate).toString('hex');
  const mode = 'streamtype=5; profile-level-id=1; mode=AAC-hbr; sizelength=13; indexlength=3; indexdeltalength=3';
  return `${mode}; config=${config}`;
}

/** None where a producer's private data is broken: pictures may still bring theirs along. */
export function setsOf(track: Track): readonly Uint8Array[] {
  try {
    return parameterSetsOf(track);
  } catch {
    return [];
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
