/** Finished segment files: what their table says, and whether their bytes are still what was written. */

import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { appError } from '../base/errors.ts';
import type { Fragment } from '../model/fragment.ts';
import type { Segment } from '../model/segment.ts';
import { type FragmentTable, parseTable, parseTrailer, segmentDigest, trailerBytes } from './segment-record.ts';
import { readHeadBytes, withFile } from './segment-scan.ts';

/** What a check of a segment's bytes found; empty lists are good. */
export type SegmentDamage = {
  /** Fragments whose cluster does not have its hash any more, or is not there. */
  readonly damaged: readonly Fragment[];
  /** Head or commit records are not what the digest was taken of. */
  readonly isDigestWrong: boolean;
};

const hashChunkBytes = 1024 * 1024;

/**
 * A finished segment from its head and its table; media are not read.
 *
 * @throws AppError not_found            no such file
 * @throws AppError failed_precondition  the file has no table: it is not finished
 * @throws AppError data_loss            head, table or digest are damaged
 */
export async function readSegment(path: string): Promise<Segment> {
  return withFile(path, async (file) => {
    const table = await readTable(file);
    if (table === undefined) throw appError('failed_precondition', 'segment has no fragment table', { path });
    const { head, bytes } = await readHeadBytes(file);
    const { size } = await file.stat();
    if (Buffer.compare(segmentDigest(bytes, table.fragments), table.digest) !== 0) {
      throw appError('data_loss', 'segment digest is wrong', { path });
    }
    return { ...head, ...table, byteLength: size };
  });
}

/** Reads all of a finished segment and compares it with its hashes. @throws AppError  as `readSegment`, but for the digest */
export async function verifySegment(path: string): Promise<SegmentDamage> {
  return withFile(path, async (file) => {
    const table = await readTable(file);
    if (table === undefined) throw appError('failed_precondition', 'segment has no fragment table', { path });
    const { bytes } = await readHeadBytes(file);
    const isDigestWrong = Buffer.compare(segmentDigest(bytes, table.fragments), table.digest) !== 0;
    const damaged: Fragment[] = [];
    for (const fragment of table.fragments) if (!(await isClusterIntact(file, fragment))) damaged.push(fragment);
    return { damaged, isDigestWrong };
  });
}

/** The table at the end of a file, or undefined when there is no valid one. */
export async function readTable(file: FileHandle): Promise<FragmentTable | undefined> {
  const { size } = await file.stat();
  if (size < trailerBytes) return undefined;
  const trailer = parseTrailer(await readExactly(file, size - trailerBytes, trailerBytes));
  if (trailer === undefined || trailer.tableBytes + trailerBytes > size) return undefined;
  const tableAt = size - trailerBytes - trailer.tableBytes;
  return parseTable(await readExactly(file, tableAt, trailer.tableBytes), trailer.checksum);
}

/** True when the cluster's bytes have the hash of its commit record. */
export async function isClusterIntact(file: FileHandle, fragment: Fragment): Promise<boolean> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(hashChunkBytes, fragment.byteLength));
  for (let done = 0; done < fragment.byteLength; ) {
    const wanted = Math.min(buffer.byteLength, fragment.byteLength - done);
    const { bytesRead } = await file.read(buffer, 0, wanted, fragment.offset + done);
    if (bytesRead === 0) return false;
    hash.update(buffer.subarray(0, bytesRead));
    done += bytesRead;
  }
  return Buffer.compare(hash.digest(), fragment.sha256) === 0;
}

async function readExactly(file: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) throw appError('data_loss', 'file ends inside its table', { at, length });
    done += bytesRead;
  }
  return bytes;
}
