/** Builds `Track`s from what a source tells about its media, and reads back what is inside them. */

import { appError } from '../base/errors.ts';
import type { Track } from '../model/track.ts';
import { parseAudioSpecificConfig } from './aac.ts';
import { codecIds } from './codec-ids.ts';
import { flacFrameSamples, isFlacTrack } from './flac.ts';
import { buildWaveFormat, type G711Format } from './g711.ts';
import { parseAvcC } from './h264.ts';
import { parseHvcC } from './h265.ts';
import { buildOpusHead, opusPacketSamples, opusSamplingFrequencyHz } from './opus.ts';
import type { VideoParameters } from './video-parameters.ts';

/** A track of H.264 or H.265 in length-prefixed NAL units. */
export function videoTrack(trackNumber: number, parameters: VideoParameters): Track {
  return {
    number: trackNumber,
    kind: 'video',
    codec: parameters.codec,
    codecId: codecIds[parameters.codec],
    codecPrivate: parameters.codecPrivate,
    codecString: parameters.codecString,
    video: { widthPixels: parameters.widthPixels, heightPixels: parameters.heightPixels },
  };
}

/** A track of raw AAC frames (no ADTS). @throws AppError  as `parseAudioSpecificConfig` */
export function aacTrack(trackNumber: number, audioSpecificConfig: Uint8Array): Track {
  const config = parseAudioSpecificConfig(audioSpecificConfig);
  return {
    number: trackNumber,
    kind: 'audio',
    codec: 'aac',
    codecId: codecIds.aac,
    codecPrivate: new Uint8Array(audioSpecificConfig),
    codecString: `mp4a.40.${config.objectType}`,
    audio: { samplingFrequencyHz: config.samplingFrequencyHz, channels: config.channels },
  };
}

export function opusTrack(trackNumber: number, options: { readonly channels: number }): Track {
  return {
    number: trackNumber,
    kind: 'audio',
    codec: 'opus',
    codecId: codecIds.opus,
    codecPrivate: buildOpusHead(options),
    codecString: 'opus',
    audio: { samplingFrequencyHz: opusSamplingFrequencyHz, channels: options.channels },
  };
}

/** A track of G.711, one byte a sample. No MP4 player takes it as it is (`flac.ts`), so it has no codec string. */
export function g711Track(trackNumber: number, format: G711Format): Track {
  return {
    number: trackNumber,
    kind: 'audio',
    codec: format.law,
    codecId: codecIds.acm,
    codecPrivate: buildWaveFormat(format),
    codecString: undefined,
    audio: { samplingFrequencyHz: format.samplingFrequencyHz, channels: format.channels },
  };
}

/**
 * Parameter sets inside avcC or hvcC as NAL units, in the order decoders want them: views. Empty for other codecs.
 *
 * @throws AppError data_loss, invalid_argument  the track's private data is broken
 */
export function parameterSetsOf(track: Track): readonly Uint8Array[] {
  if (track.codec === 'h264') {
    const { sps, pps } = parseAvcC(track.codecPrivate);
    return [...sps, ...pps];
  }
  if (track.codec === 'h265') {
    const { vps, sps, pps } = parseHvcC(track.codecPrivate);
    return [...vps, ...sps, ...pps];
  }
  return [];
}

/**
 * How to count the samples of one audio frame of a track, `audioClockHz` of them a second: from the codec, so exact where rounded
 * times are not. The track is looked at once, so keep the function for many frames; it throws AppError data_loss for a frame
 * that is no valid one.
 *
 * @throws AppError invalid_argument  the codec's frames do not tell
 */
export function audioFrameCounter(track: Track): (frame: Uint8Array) => number {
  switch (track.codec) {
    case 'aac': {
      const { samplesPerFrame } = parseAudioSpecificConfig(track.codecPrivate);
      return () => samplesPerFrame;
    }
    case 'opus':
      return opusPacketSamples;
    case 'pcma':
    case 'pcmu': {
      const channels = track.audio?.channels ?? 1;
      return (frame) => Math.floor(frame.length / channels);
    }
    default:
      if (isFlacTrack(track)) return flacFrameSamples;
      throw appError('invalid_argument', 'frames of this codec do not tell their duration', { codecId: track.codecId });
  }
}

/** Samples of one audio frame. @throws as `audioFrameCounter` and its function */
export function audioFrameSamples(track: Track, frame: Uint8Array): number {
  return audioFrameCounter(track)(frame);
}

/**
 * Samples a second as `audioFrameSamples` counts them. Where the codec itself knows better than the container it is believed:
 * Opus always counts at 48 kHz, and muxers disagree whether HE-AAC is told by its core's rate or twice that.
 */
export function audioClockHz(track: Track): number {
  if (track.codec === 'opus') return opusSamplingFrequencyHz;
  if (track.codec === 'aac') return parseAudioSpecificConfig(track.codecPrivate).samplingFrequencyHz;
  return Math.round(track.audio?.samplingFrequencyHz ?? opusSamplingFrequencyHz);
}

/** Duration of one audio frame in microseconds, not rounded: 1,024 samples at 44.1 kHz are 23219.95. @throws as `audioFrameSamples` */
export function audioFrameDurationUs(track: Track, frame: Uint8Array): number {
  return (audioFrameSamples(track, frame) * 1_000_000) / audioClockHz(track);
}
