/** G.711: its container head (WAVEFORMATEX) and its expansion to linear samples. */

import { appError } from '../base/errors.ts';

export type G711Law = 'pcmu' | 'pcma';

/** wFormatTag. */
const formatTags = { pcma: 6, pcmu: 7 } as const;
const waveFormatBytes = 18;

export type G711Format = { readonly law: G711Law; readonly samplingFrequencyHz: number; readonly channels: number };

/** WAVEFORMATEX, 18 bytes, little endian: CodecPrivate of A_MS/ACM. */
export function buildWaveFormat(format: G711Format): Uint8Array {
  const { law, samplingFrequencyHz, channels } = format;
  const bytes = new Uint8Array(waveFormatBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, formatTags[law], true);
  view.setUint16(2, channels, true);
  view.setUint32(4, samplingFrequencyHz, true);
  view.setUint32(8, samplingFrequencyHz * channels, true);
  view.setUint16(12, channels, true);
  view.setUint16(14, 8, true);
  return bytes;
}

/** The G.711 format told by a WAVEFORMATEX, or undefined when it tells of another codec. @throws AppError data_loss  too short */
export function parseWaveFormat(bytes: Uint8Array): G711Format | undefined {
  // WAVEFORMAT without the last field, cbSize, is in use too.
  if (bytes.length < waveFormatBytes - 2)
    throw appError('data_loss', 'wave format is cut off', { bytes: bytes.length });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = view.getUint16(0, true);
  const law = tag === formatTags.pcma ? 'pcma' : tag === formatTags.pcmu ? 'pcmu' : undefined;
  const channels = view.getUint16(2, true);
  const samplingFrequencyHz = view.getUint32(4, true);
  if (law === undefined || channels < 1 || channels > 8 || samplingFrequencyHz === 0) return undefined;
  return { law, samplingFrequencyHz, channels };
}

/**
 * The 256 linear values of a law, 16 bit signed (ITU-T G.711 tables 1 and 2, scaled as G.191 does).
 * A-law values are multiples of 8, mu-law values of 4.
 */
export function g711Table(law: G711Law): Int16Array {
  return Int16Array.from({ length: 256 }, (_, code) => (law === 'pcma' ? expandA(code) : expandMu(code)));
}

function expandA(code: number): number {
  const bits = code ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const mantissa = ((bits & 0xf) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return (bits & 0x80) === 0 ? -magnitude : magnitude;
}

function expandMu(code: number): number {
  const bits = ~code & 0xff;
  const magnitude = ((((bits & 0xf) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84;
  return (bits & 0x80) === 0 ? magnitude : -magnitude;
}
