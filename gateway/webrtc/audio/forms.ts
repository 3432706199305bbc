/** How each form of sound goes into a child and comes out of it: ffmpeg's words, frames, and places counted in samples. */

import { appError } from '../../../storage/base/errors.ts';
import { aacTrack, opusPacketSamples, opusSamplingFrequencyHz } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import { AdtsReader } from './adts-reader.ts';
import { joined } from './joined.ts';
import { MatroskaInput } from './matroska-input.ts';
import { OggReader } from './ogg-reader.ts';

/** One frame that came out; its place counts from the first sample that went in. */
export type PlacedFrame = { readonly bytes: Uint8Array; readonly positionUs: number; readonly durationUs: number };

/** Into one child. */
export type FrameWriter = {
  /** Before everything else. */
  readonly head: Uint8Array | undefined;
  /**
   * Wraps one unit: a copy.
   * @throws AppError data_loss  it is none
   */
  wrap(bytes: Uint8Array): { readonly wrapped: Uint8Array; readonly durationUs: number };
};

/** Out of one child. @throws AppError data_loss  from `push`: nothing more is read */
export type FrameReader = { push(chunk: Uint8Array): PlacedFrame[] };

export type InputForm = {
  /** ffmpeg's options of the input, without `-i`. */
  readonly arguments: readonly string[];
  readonly newWriter: () => FrameWriter;
};

export type OutputForm = {
  readonly arguments: readonly string[];
  readonly newReader: () => FrameReader;
};

/** PCM between transcoders and the mixer: signed 16 bit little endian, two channels interleaved, 48 kHz. */
export const pcm = { samplingFrequencyHz: 48_000, channels: 2, bytesPerSample: 4 } as const;
/** The step of everything: what a packet of Opus lasts in WebRTC, and a tick of the mixer. */
export const stepSamples = 960;
export const stepUs = 20_000;
export const pcmStepBytes = stepSamples * pcm.bytesPerSample;

/** A frame of AAC has 8 KB at the most, a packet of Opus of 20 ms 1.3 KB. */
const frameBytesMax = 16 * 1_024;
const aacSamplesPerFrame = 1_024;
/** ffmpeg's AAC encoder begins with a frame of silence, which overlaps with the first one. */
const aacPrimingSamples = 1_024;
/** AAC-LC, 48 kHz, two channels. */
const recordedAacConfig = Uint8Array.of(0x11, 0x90);

/** The track that `opusToAac` and `pcmToAac` make. */
export function recordedAacTrack(trackNumber: number): Track {
  return aacTrack(trackNumber, recordedAacConfig);
}

/**
 * Coded frames of a track.
 * @throws AppError invalid_argument  the codec's frames do not tell how long they are
 */
export function codedInput(track: Track): InputForm {
  // Asked now, so that a child is never started for nothing.
  new MatroskaInput(track).head();
  return {
    arguments: ['-f', 'matroska'],
    newWriter() {
      const input = new MatroskaInput(track);
      return {
        head: input.head(),
        wrap(bytes) {
          if (bytes.length > frameBytesMax) throw appError('data_loss', 'a frame of sound is too long');
          const { block, durationUs } = input.block(bytes);
          return { wrapped: block, durationUs };
        },
      };
    },
  };
}

export const pcmInput: InputForm = {
  arguments: ['-f', 's16le', '-ar', String(pcm.samplingFrequencyHz), '-ac', String(pcm.channels)],
  newWriter: () => ({
    head: undefined,
    wrap(bytes) {
      if (bytes.length % pcm.bytesPerSample !== 0) throw appError('data_loss', 'samples are cut off');
      return { wrapped: bytes.slice(), durationUs: samplesToUs(bytes.length / pcm.bytesPerSample) };
    },
  }),
};

/**
 * Packets of 20 ms. Pages are as long as packets, since a page is written when it is full; the muxer holds one back, because the
 * last one would have to say that it is. Mode `lowdelay` has no look-ahead but 2.5 ms.
 */
export function opusOutput({ channels }: { readonly channels: number }): OutputForm {
  const bitsPerSecond = channels === 1 ? 64_000 : 96_000;
  return {
    arguments: [
      ...[
        '-ar',
        String(opusSamplingFrequencyHz),
        '-ac',
        String(channels),
        '-c:a',
        'libopus',
        '-b:a',
        String(bitsPerSecond),
      ],
      ...['-application', 'lowdelay', '-frame_duration', '20', '-f', 'ogg', '-page_duration', String(stepUs)],
    ],
    newReader() {
      const reader = new OggReader();
      let headers = 0;
      let preSkipSamples = 0;
      return {
        push: (chunk) =>
          reader.push(chunk).flatMap(({ granulePosition, packets }) => {
            if (headers < 2) {
              // OpusHead, then OpusTags.
              if (headers === 0) preSkipSamples = ((packets[0]?.[11] ?? 0) << 8) | (packets[0]?.[10] ?? 0);
              headers += packets.length;
              return [];
            }
            return placedPackets(packets, granulePosition - preSkipSamples);
          }),
      };
    },
  };
}

/** @param endSamples  where the last one ends */
function placedPackets(packets: readonly Uint8Array[], endSamples: number): PlacedFrame[] {
  const samples = packets.map(opusPacketSamples);
  let position = endSamples - samples.reduce((sum, each) => sum + each, 0);
  return packets.map((bytes, i) => {
    const packetSamples = samples[i] ?? 0;
    position += packetSamples;
    const positionUs = samplesToUs(position - packetSamples);
    return { bytes, positionUs, durationUs: samplesToUs(packetSamples) };
  });
}

/** Frames of 1,024 samples as `recordedAacTrack` describes them. */
export const aacOutput: OutputForm = {
  arguments: [
    ...['-ar', String(pcm.samplingFrequencyHz), '-ac', String(pcm.channels), '-c:a', 'aac', '-b:a', '96k'],
    ...['-f', 'adts'],
  ],
  newReader() {
    const reader = new AdtsReader();
    let position = -aacPrimingSamples;
    return {
      push: (chunk) =>
        reader.push(chunk).map((bytes) => {
          position += aacSamplesPerFrame;
          const positionUs = samplesToUs(position - aacSamplesPerFrame);
          return { bytes, positionUs, durationUs: samplesToUs(aacSamplesPerFrame) };
        }),
    };
  },
};

/** Pieces of 20 ms. */
export const pcmOutput: OutputForm = {
  arguments: ['-ar', String(pcm.samplingFrequencyHz), '-ac', String(pcm.channels), '-f', 's16le'],
  newReader() {
    let rest: Uint8Array = new Uint8Array(0);
    let step = 0;
    return {
      push(chunk) {
        const bytes = joined(rest, chunk);
        const frames: PlacedFrame[] = [];
        let at = 0;
        for (; bytes.length - at >= pcmStepBytes; at += pcmStepBytes) {
          const positionUs = stepUs * step++;
          frames.push({ bytes: bytes.slice(at, at + pcmStepBytes), positionUs, durationUs: stepUs });
        }
        rest = bytes.slice(at);
        return frames;
      },
    };
  },
};

function samplesToUs(samples: number): number {
  return (samples * 1_000_000) / opusSamplingFrequencyHz;
}
