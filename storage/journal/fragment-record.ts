/**
 * One fragment as it stands packed in commit records and tables, and the commit record itself (WEIR_COMMIT). A commit record
 * alone tells everything a table row needs, so that a file without a table, and an index without rows, can be rebuilt.
 *
 *   fragment   20 bytes number | u32 offset | u32 byte length | f64 server timestamp, producer timestamp, media time,
 *              duration, all ms | u8 flags (1 key, 2 loss) | u8 tracks | per track: u8 number, u32 samples,
 *              u32 payload bytes, f64 begin, f64 end, media ms | 32 bytes SHA-256 of the cluster
 *   commit     u8 version 1 | fragment | u32 CRC-32 of everything before it
 *
 * Little endian but for the number, whose bytes sort as it does. Packing a parsed record gives the same bytes again: the
 * segment's digest depends on it.
 */

import { crc32 } from 'node:zlib';
import { appError } from '../base/errors.ts';
import type { Fragment, FragmentTrack } from '../model/fragment.ts';
import { fragmentNumberFromBytes, fragmentNumberToBytes } from '../model/fragment-number.ts';
import { limits } from '../model/limits.ts';
import { PackedReader, PackedWriter } from './packed.ts';

const commitVersion = 1;
const numberBytes = 20;
const hashBytes = 32;
const fragmentBytesFixed = numberBytes + 4 + 4 + 4 * 8 + 1 + 1 + hashBytes;
const trackBytes = 1 + 4 + 4 + 8 + 8;
const flagKey = 1;
const flagLoss = 2;

/** Packed bytes of one fragment with the most tracks there may be. */
export const packedFragmentBytesMax = fragmentBytesFixed + limits.tracksMax * trackBytes;

/** Appends one packed fragment. */
export function packFragment(target: PackedWriter, fragment: Fragment): void {
  target.bytes(fragmentNumberToBytes(fragment.number));
  target.u32(fragment.offset);
  target.u32(fragment.byteLength);
  target.f64(fragment.serverTimestampMs);
  target.f64(fragment.producerTimestampMs);
  target.f64(fragment.mediaTimeMs);
  target.f64(fragment.durationMs);
  target.u8((fragment.isKey ? flagKey : 0) | (fragment.hasLoss ? flagLoss : 0));
  target.u8(fragment.tracks.length);
  for (const track of fragment.tracks) {
    target.u8(track.trackNumber);
    target.u32(track.samples);
    target.u32(track.payloadBytes);
    target.f64(track.beginMediaMs);
    target.f64(track.endMediaMs);
  }
  target.bytes(fragment.sha256);
}

/** Takes one packed fragment off. @throws AppError data_loss  it is too short or cannot be ours */
export function unpackFragment(source: PackedReader): Fragment {
  const number = readNumber(source);
  const offset = source.u32();
  const byteLength = source.u32();
  const serverTimestampMs = source.f64();
  const producerTimestampMs = source.f64();
  const mediaTimeMs = source.f64();
  const durationMs = source.f64();
  const flags = source.u8();
  const trackCount = source.u8();
  if (trackCount > limits.tracksMax) throw appError('data_loss', 'fragment has too many tracks', { trackCount });
  if ((flags & ~(flagKey | flagLoss)) !== 0) throw appError('data_loss', 'fragment has unknown flags', { flags });
  const tracks: FragmentTrack[] = [];
  for (let i = 0; i < trackCount; i++) tracks.push(unpackTrack(source));
  return {
    number,
    offset,
    byteLength,
    serverTimestampMs,
    producerTimestampMs,
    mediaTimeMs,
    durationMs,
    isKey: (flags & flagKey) !== 0,
    hasLoss: (flags & flagLoss) !== 0,
    tracks,
    sha256: source.bytes(hashBytes),
  };
}

/** The value of a WEIR_COMMIT tag. */
export function packCommit(fragment: Fragment): Uint8Array {
  const target = new PackedWriter(1 + packedFragmentBytesMax + 4);
  target.u8(commitVersion);
  packFragment(target, fragment);
  const body = target.finish();
  target.u32(crc32(body));
  return target.finish();
}

/** Reads the value of a WEIR_COMMIT tag. @throws AppError data_loss  wrong version, length or checksum */
export function parseCommit(bytes: Uint8Array): Fragment {
  if (bytes.byteLength > 1 + packedFragmentBytesMax + 4) {
    throw appError('data_loss', 'commit record is too long', { byteLength: bytes.byteLength });
  }
  const source = new PackedReader(bytes);
  const version = source.u8();
  if (version !== commitVersion) throw appError('data_loss', 'commit record of an unknown version', { version });
  const fragment = unpackFragment(source);
  const body = bytes.subarray(0, bytes.byteLength - source.left);
  if (source.u32() !== crc32(body)) throw appError('data_loss', 'commit record with a wrong checksum');
  if (source.left !== 0) throw appError('data_loss', 'commit record is too long', { byteLength: bytes.byteLength });
  return fragment;
}

function unpackTrack(source: PackedReader): FragmentTrack {
  return {
    trackNumber: source.u8(),
    samples: source.u32(),
    payloadBytes: source.u32(),
    beginMediaMs: source.f64(),
    endMediaMs: source.f64(),
  };
}

function readNumber(source: PackedReader) {
  try {
    return fragmentNumberFromBytes(source.bytes(numberBytes));
  } catch (cause) {
    throw appError('data_loss', 'packed record holds no fragment number', { cause });
  }
}
