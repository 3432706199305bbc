/**
 * What a segment's head (WEIR_SEGMENT) and its end (WEIR_TABLE) say, packed.
 *
 *   head   u8 version 1 | text stream id | 16 bytes run id | f64 first counter | u32 sequence | text run reason |
 *          f64 run's start, server ms | 32 bytes digest of the previous segment | u32 CRC-32 of everything before it
 *   table  u8 version 1 | u32 fragments | 32 bytes segment digest | fragments (`fragment-record.ts`) |
 *          trailer: u32 bytes of the table before the trailer, u32 their CRC-32, 8 bytes magic
 *
 * The trailer is the end of the file, so a table is found with one read and without walking the media.
 */

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { appError } from '../base/errors.ts';
import type { Fragment } from '../model/fragment.ts';
import { limits } from '../model/limits.ts';
import type { SegmentHead } from '../model/segment.ts';
import { packCommit, packedFragmentBytesMax, packFragment, unpackFragment } from './fragment-record.ts';
import { PackedReader, PackedWriter } from './packed.ts';

const headVersion = 1;
const tableVersion = 1;
const runIdBytes = 16;
const digestBytes = 32;
const tableHeadBytes = 1 + 4 + digestBytes;
const magic = Buffer.from('WEIRTBL1', 'latin1');

/** Bytes of the fixed trailer at the end of a finished file. */
export const trailerBytes = 4 + 4 + magic.byteLength;

/** The largest table a file may claim, trailer included. */
export const tableBytesMax = tableHeadBytes + limits.segmentFragmentsMax * packedFragmentBytesMax + trailerBytes;

/** The part of a segment's head that Matroska has no element for. */
export type SegmentFacts = Pick<
  SegmentHead,
  'streamId' | 'runId' | 'firstCounter' | 'sequence' | 'runReason' | 'runStartServerMs' | 'previousDigest'
>;

/** What the end of a finished file says. */
export type FragmentTable = { readonly fragments: readonly Fragment[]; readonly digest: Uint8Array };

/** The value of a WEIR_SEGMENT tag. */
export function packSegmentFacts(facts: SegmentFacts): Uint8Array {
  const target = new PackedWriter(256);
  target.u8(headVersion);
  target.text(facts.streamId);
  target.bytes(Buffer.from(facts.runId, 'hex'));
  target.f64(facts.firstCounter);
  target.u32(facts.sequence);
  target.text(facts.runReason);
  target.f64(facts.runStartServerMs);
  target.bytes(facts.previousDigest);
  target.u32(crc32(target.finish()));
  return target.finish();
}

/** Reads the value of a WEIR_SEGMENT tag. @throws AppError data_loss  wrong version, length or checksum */
export function parseSegmentFacts(bytes: Uint8Array): SegmentFacts {
  const source = new PackedReader(bytes);
  const version = source.u8();
  if (version !== headVersion) throw appError('data_loss', 'segment head of an unknown version', { version });
  const facts = {
    streamId: source.text(),
    runId: Buffer.from(source.bytes(runIdBytes)).toString('hex'),
    firstCounter: source.f64(),
    sequence: source.u32(),
    runReason: source.text(),
    runStartServerMs: source.f64(),
    previousDigest: source.bytes(digestBytes),
  };
  const body = bytes.subarray(0, bytes.byteLength - source.left);
  if (source.u32() !== crc32(body)) throw appError('data_loss', 'segment head with a wrong checksum');
  if (source.left !== 0) throw appError('data_loss', 'segment head is too long', { byteLength: bytes.byteLength });
  return facts;
}

/** The value of a WEIR_TABLE tag, trailer included: it must be the last bytes of the file. */
export function packTable({ fragments, digest }: FragmentTable): Uint8Array {
  const target = new PackedWriter(tableHeadBytes + fragments.length * packedFragmentBytesMax + trailerBytes);
  target.u8(tableVersion);
  target.u32(fragments.length);
  target.bytes(digest);
  for (const fragment of fragments) packFragment(target, fragment);
  const body = target.finish();
  target.u32(body.byteLength);
  target.u32(crc32(body));
  target.bytes(magic);
  return target.finish();
}

/**
 * Reads a trailer.
 *
 * @param bytes  the last `trailerBytes` of a file
 * @returns      length and checksum of the table before it, or undefined when this is no trailer: the file is not finished
 */
export function parseTrailer(bytes: Uint8Array): { tableBytes: number; checksum: number } | undefined {
  if (bytes.byteLength !== trailerBytes || magic.compare(bytes.subarray(8)) !== 0) return undefined;
  const source = new PackedReader(bytes);
  const tableBytes = source.u32();
  const checksum = source.u32();
  if (tableBytes < tableHeadBytes || tableBytes > tableBytesMax - trailerBytes) return undefined;
  return { tableBytes, checksum };
}

/** Reads a table without its trailer. @throws AppError data_loss  it does not have the trailer's checksum, or cannot be ours */
export function parseTable(bytes: Uint8Array, checksum: number): FragmentTable {
  if (crc32(bytes) !== checksum) throw appError('data_loss', 'fragment table with a wrong checksum');
  const source = new PackedReader(bytes);
  const version = source.u8();
  if (version !== tableVersion) throw appError('data_loss', 'fragment table of an unknown version', { version });
  const count = source.u32();
  if (count > limits.segmentFragmentsMax) throw appError('data_loss', 'fragment table is too long', { count });
  const digest = source.bytes(digestBytes);
  const fragments: Fragment[] = [];
  for (let i = 0; i < count; i++) fragments.push(unpackFragment(source));
  if (source.left !== 0) throw appError('data_loss', 'fragment table has bytes left over', { left: source.left });
  return { fragments, digest };
}

/** SHA-256 over the head's bytes and every commit record: what the next segment of the run names as its previous one. */
export function segmentDigest(headBytes: Uint8Array, fragments: Iterable<Fragment>): Uint8Array {
  const hash = createHash('sha256').update(headBytes);
  for (const fragment of fragments) hash.update(packCommit(fragment));
  return new Uint8Array(hash.digest());
}
