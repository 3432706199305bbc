/** Opus: how long a packet lasts (RFC 6716 3.1) and its container head (RFC 7845 5.1). */

import { appError } from '../base/errors.ts';

/** Opus always counts at this rate, whatever it was fed with. */
export const opusSamplingFrequencyHz = 48_000;

const magic = 'OpusHead';
/** 120 ms: the longest packet there may be. */
const packetSamplesMax = 5760;

/** Samples at 48 kHz of one packet, from its first bytes. @throws AppError data_loss  no valid packet */
export function opusPacketSamples(packet: Uint8Array): number {
  const toc = packet[0];
  if (toc === undefined) throw appError('data_loss', 'opus packet is empty');
  const code = toc & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 0) & 0x3f;
  const samples = frames * frameSamples(toc >> 3);
  if (samples === 0 || samples > packetSamplesMax) {
    throw appError('data_loss', 'opus packet has an impossible duration', { frames, samples });
  }
  return samples;
}

/**
 * Identification header of a stream of one or two channels. Pre-skip is 0: a live stream is joined in the middle, so there is
 * no encoder delay at its beginning to be cut off, and cutting would shift sound against picture.
 */
export function buildOpusHead(options: { readonly channels: number }): Uint8Array {
  const { channels } = options;
  if (channels !== 1 && channels !== 2)
    throw appError('invalid_argument', 'opus has one or two channels', { channels });
  const bytes = new Uint8Array(19);
  bytes.set(Buffer.from(magic));
  bytes[8] = 1;
  bytes[9] = channels;
  new DataView(bytes.buffer).setUint32(12, opusSamplingFrequencyHz, true);
  return bytes;
}

export type OpusHead = {
  readonly channels: number;
  readonly preSkipSamples: number;
  readonly inputFrequencyHz: number;
  /** Q7.8 decibels. */
  readonly outputGain: number;
  readonly mappingFamily: number;
  /** Stream count, coupled count and map, of mapping families other than 0: a view. */
  readonly mapping: Uint8Array;
};

/** @throws AppError invalid_argument  not such a header, or of a version above 1 */
export function parseOpusHead(bytes: Uint8Array): OpusHead {
  const isHead = bytes.length >= 19 && Buffer.from(bytes.subarray(0, 8)).toString('latin1') === magic;
  const channels = bytes[9] ?? 0;
  const mappingFamily = bytes[18] ?? 0;
  const mappingBytes = mappingFamily === 0 ? 0 : 2 + channels;
  if (!isHead || (bytes[8] ?? 0) >> 4 !== 0 || channels === 0 || bytes.length < 19 + mappingBytes) {
    throw appError('invalid_argument', 'not an OpusHead', { byteLength: bytes.length });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    channels,
    preSkipSamples: view.getUint16(10, true),
    inputFrequencyHz: view.getUint32(12, true),
    outputGain: view.getInt16(16, true),
    mappingFamily,
    mapping: bytes.subarray(19, 19 + mappingBytes),
  };
}

/** Table 2: SILK 10 to 60 ms, hybrid 10 and 20 ms, CELT 2.5 to 20 ms. */
function frameSamples(configuration: number): number {
  const step = configuration & 3;
  if (configuration < 12) return step === 3 ? 2880 : 480 << step;
  if (configuration < 16) return 480 << (configuration & 1);
  return 120 << step;
}
