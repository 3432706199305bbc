/**
 * Finishes what a dead writer left: walks each open file, keeps every fragment that has a valid commit record, cuts off the
 * torn tail, appends cues and table, and moves the file to the finished ones. Each step may be interrupted and done again:
 * a half-written table is a torn tail like any other, and a whole one only needs its rename.
 */

import { type FileHandle, mkdir, open, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { appError, errnoOf, isAppError, toAppError } from '../base/errors.ts';
import { syncDirectory } from '../base/files.ts';
import type { Log } from '../base/log.ts';
import { type Fragment, fragmentEndMs } from '../model/fragment.ts';
import { type FragmentNumber, fragmentNumberParts } from '../model/fragment-number.ts';
import { limits } from '../model/limits.ts';
import { isProduced } from '../model/run.ts';
import type { SegmentHead } from '../model/segment.ts';
import { FileWindow } from './ebml.ts';
import { isOwnerFile } from './epoch.ts';
import { abandonedSuffix } from './journal-listing.ts';
import { endBytes } from './segment-file.ts';
import { isClusterIntact, readTable } from './segment-read.ts';
import { segmentDigest } from './segment-record.ts';
import { readFragmentAt, readHeadBytes, type SearchCosts, type SegmentHeadBytes, tagNames } from './segment-scan.ts';

export type RecoverOptions = {
  /** `journal/open/<ingest>.<epoch>`. */
  readonly directory: string;
  /** `journal/finished`. */
  readonly finishedDirectory: string;
  /** `all` only when the writer is dead; `abandoned`: what a living one gave up after a failure. */
  readonly files: 'all' | 'abandoned';
  /** So many of the last clusters are compared with their hashes (default `limits.recoveryVerifyFragments`); all of abandoned files. */
  readonly verifyLast?: number;
};

/** What became of one file. */
export type RecoveredFile = {
  readonly path: string;
  readonly streamId: string;
  /** `finished`: at `finishedPath`. `removed`: it held nothing. `damaged`: unreadable head, kept beside as `<file>.damaged`. */
  readonly outcome: 'finished' | 'removed' | 'damaged';
  readonly finishedPath: string | undefined;
  readonly runId: string | undefined;
  readonly fragments: number;
  readonly lastNumber: FragmentNumber | undefined;
  /** Bytes behind the last commit record, and bytes of damaged fragments before it. */
  readonly bytesCut: number;
  readonly bytesDamaged: number;
  /** Server time from which footage of this file is missing, up to the file's last change; undefined when nothing was cut. */
  readonly torn: { readonly beginMs: number; readonly endMs: number } | undefined;
};

/** Behind the name of a file whose head cannot be read although it may hold fragments: for a person. */
export const damagedSuffix = '.damaged';

const segmentSuffix = '.mkv';
const searchBytes = 1024 * 1024;
/**
 * Elements that a search behind damage looks at, over a whole file: more than it has of usual ones. What a producer sends may look like
 * clusters at every place, and no file of one may keep those of all others from being recovered.
 */
const searchBytesOfCost = 8;
const searchCostsMin = 100_000;
/** A stream's connections, and restarts, use a few thousand counters in the time of a file. */
const countersOfFileMax = 1_000_000;
const clusterId = Uint8Array.of(0x1f, 0x43, 0xb6, 0x75);

/**
 * Recovers the files of one directory of open files. May be interrupted anywhere and called again.
 *
 * @throws AppError  the first file that could not be recovered, after all were tried: full or read-only file system
 */
export async function recoverOpenDirectory(deps: { log: Log }, options: RecoverOptions): Promise<RecoveredFile[]> {
  const recovered: RecoveredFile[] = [];
  let failure: unknown;
  for (const path of await recoverableFiles(options)) {
    try {
      const report = await recoverFile(path, options);
      recovered.push(report);
      const { log } = deps;
      if (report.outcome === 'damaged') log.error('segment file with a damaged head was put aside', report);
      else log.info('open segment file recovered', report);
    } catch (error) {
      if (!isAppError(error, 'not_found')) failure ??= error;
    }
  }
  if (failure !== undefined) throw toAppError(failure);
  if (options.files === 'all') await removeIfEmpty(options.directory);
  return recovered;
}

async function recoverFile(path: string, options: RecoverOptions): Promise<RecoveredFile> {
  const file = await openForUpdate(path);
  try {
    const streamId = basename(dirname(path));
    const { size, atime, birthtimeMs, mtime, mtimeMs } = await file.stat();
    const head = await readHeadBytes(file).catch(undefinedIfDamaged);
    if (head === undefined) {
      const nothing = { finishedPath: undefined, runId: undefined, fragments: 0, lastNumber: undefined };
      const outcome = await putAside(file, path);
      return { path, streamId, outcome, ...nothing, bytesCut: size, bytesDamaged: 0, torn: undefined };
    }

    const verifyLast = path.endsWith(abandonedSuffix)
      ? Number.POSITIVE_INFINITY
      : (options.verifyLast ?? limits.recoveryVerifyFragments);
    const found = await findFragments(file, head, { size, verifyLast });
    const last = found.fragments.at(-1);
    const report = {
      path,
      streamId,
      runId: head.head.runId,
      fragments: found.fragments.length,
      lastNumber: last?.number,
      bytesCut: size - found.goodBytes,
      bytesDamaged: found.bytesDamaged,
      torn: isFootageLost(found, { size, head: head.head })
        ? tornSpan(last, { head: head.head, birthtimeMs, mtimeMs })
        : undefined,
    };
    if (last === undefined) {
      await unlink(path);
      return { ...report, outcome: 'removed', finishedPath: undefined };
    }
    try {
      await finish(file, head, found);
    } catch (error) {
      // The next attempt asks the file when its writer died.
      await file.utimes(atime, mtime).catch(() => {});
      throw error;
    }
    const finishedPath = await moveToFinished(path, join(options.finishedDirectory, streamId));
    return { ...report, outcome: 'finished', finishedPath };
  } finally {
    await file.close();
  }
}

/** What a KVS producer was not told to be stored it sends again: missing is only what had been committed. */
function isFootageLost(found: Found, { size, head }: { readonly size: number; readonly head: SegmentHead }): boolean {
  return size > found.goodBytes && (!isProduced(head) || found.fragmentsDropped > 0);
}

/** From the end of the last good fragment, or from the file's beginning, to its last change, as far as a segment may reach. */
function tornSpan(
  last: Fragment | undefined,
  file: { readonly head: SegmentHead; readonly birthtimeMs: number; readonly mtimeMs: number },
): NonNullable<RecoveredFile['torn']> {
  const { runStartServerMs, sequence } = file.head;
  // Before the second file of a run lies the first one, whose footage is whole. A file system without times of birth says 0. Media time
  // of a producer may be a time of day: its run then starts in 1970.
  const fileBeginMs =
    sequence === 0 && !isProduced(file.head)
      ? runStartServerMs
      : Math.max(runStartServerMs, Math.round(file.birthtimeMs));
  const beginMs = last === undefined ? fileBeginMs : fragmentEndMs(last);
  const endMs = Math.min(Math.max(beginMs, Math.round(file.mtimeMs)), beginMs + limits.segmentDurationMsMax);
  return { beginMs, endMs };
}

type Found = {
  readonly fragments: readonly Fragment[];
  /** Where the file is to be cut. */
  readonly goodBytes: number;
  readonly bytesDamaged: number;
  /** Committed, and not what was hashed any more. */
  readonly fragmentsDropped: number;
  readonly isFinished: boolean;
};

type FragmentAt = { readonly fragment: Fragment; readonly end: number };

async function findFragments(
  file: FileHandle,
  head: SegmentHeadBytes,
  options: { readonly size: number; readonly verifyLast: number },
): Promise<Found> {
  const { size, verifyLast } = options;
  const table = await readTable(file).catch(undefinedIfDamaged);
  const isTableGood = table !== undefined && isSameDigest(table.digest, segmentDigest(head.bytes, table.fragments));
  if (isTableGood && (await areLastIntact(file, table.fragments, verifyLast))) {
    return { fragments: table.fragments, goodBytes: size, bytesDamaged: 0, fragmentsDropped: 0, isFinished: true };
  }
  const headBytes = head.bytes.byteLength;
  const committed = await walk(file, headBytes, size);
  const good = await withoutDamaged(file, committed, verifyLast);
  const goodBytes = good.at(-1)?.end ?? headBytes;
  const bytesUsed = good.reduce((sum, { fragment, end }) => sum + end - fragment.offset, 0);
  const fragments = good.map(({ fragment }) => fragment);
  const fragmentsDropped = committed.length - good.length;
  return { fragments, goodBytes, bytesDamaged: goodBytes - headBytes - bytesUsed, fragmentsDropped, isFinished: false };
}

/** Every committed fragment of a file, also behind bytes that cannot be walked: what was committed there is footage. */
async function walk(file: FileHandle, begin: number, size: number): Promise<FragmentAt[]> {
  const window = new FileWindow(file, size);
  const costs = { left: searchCostsMin + size / searchBytesOfCost };
  const found: FragmentAt[] = [];
  for (let at = begin; found.length < limits.segmentFragmentsMax; ) {
    const next =
      (await readFragmentAt(window, at)) ?? (await findFragmentBehind(file, window, { from: at + 1, costs, found }));
    if (next === undefined) break;
    found.push(next);
    at = next.end;
  }
  return found;
}

/** The next place that looks like a cluster and has a commit record that says so. */
async function findFragmentBehind(
  file: FileHandle,
  window: FileWindow,
  { from, costs, found }: { readonly from: number; readonly costs: SearchCosts; readonly found: readonly FragmentAt[] },
): Promise<FragmentAt | undefined> {
  for await (const at of occurrences(file, clusterId, from)) {
    const next = await readFragmentAt(window, at, costs);
    if (next !== undefined && canFollow(next.fragment, found)) return next;
    costs.left--;
    if (costs.left < 0) return undefined;
  }
  return undefined;
}

/**
 * False for what only looks like a fragment of the file, in what a producer sent: numbers rise in a file, and it spans no more than the
 * index can find. With one that does not, all of its fragments could not be taken in.
 */
function canFollow({ number, serverTimestampMs }: Fragment, found: readonly FragmentAt[]): boolean {
  const [first, last] = [found[0]?.fragment, found.at(-1)?.fragment];
  if (first === undefined || last === undefined) return true;
  const [{ counter }, { counter: firstCounter }] = [fragmentNumberParts(number), fragmentNumberParts(first.number)];
  return (
    number > last.number &&
    counter - firstCounter <= countersOfFileMax &&
    Math.abs(serverTimestampMs - first.serverTimestampMs) <= limits.segmentDurationMs
  );
}

/** Drops fragments whose cluster is not what was hashed: before a power loss the last ones may reach the disk in any order. */
async function withoutDamaged(
  file: FileHandle,
  found: readonly FragmentAt[],
  verifyLast: number,
): Promise<FragmentAt[]> {
  const good: FragmentAt[] = [];
  for (const each of found.toReversed()) {
    if (good.length >= verifyLast || (await isClusterIntact(file, each.fragment))) good.push(each);
  }
  return good.reverse();
}

async function areLastIntact(file: FileHandle, fragments: readonly Fragment[], verifyLast: number): Promise<boolean> {
  for (const fragment of fragments.slice(-Math.min(verifyLast, fragments.length))) {
    if (!(await isClusterIntact(file, fragment))) return false;
  }
  return true;
}

function isSameDigest(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Cuts the file behind its last good fragment and gives it cues and table, if it has none, and makes it durable. */
async function finish(file: FileHandle, head: SegmentHeadBytes, found: Found): Promise<void> {
  if (!found.isFinished) {
    const { fragments, goodBytes } = found;
    await file.truncate(goodBytes);
    const digest = segmentDigest(head.bytes, fragments);
    const end = Buffer.concat(endBytes({ fragments, digest, timecodeScaleNs: head.head.timecodeScaleNs }));
    for (let done = 0; done < end.byteLength; ) {
      const { bytesWritten } = await file.write(end, done, end.byteLength - done, goodBytes + done);
      if (bytesWritten === 0) throw appError('unavailable', 'file took no bytes', { at: goodBytes + done });
      done += bytesWritten;
    }
  }
  await file.datasync();
}

async function moveToFinished(path: string, finishedDirectory: string): Promise<string> {
  const name = path.endsWith(abandonedSuffix) ? path.slice(0, -abandonedSuffix.length) : path;
  const finishedPath = join(finishedDirectory, basename(name));
  await mkdir(finishedDirectory, { recursive: true });
  await rename(path, finishedPath);
  await syncDirectory(finishedDirectory);
  await syncDirectory(dirname(path));
  return finishedPath;
}

/** A file whose head cannot be read: nothing can be played from it, but a commit record in it is a reason to keep it. */
async function putAside(file: FileHandle, path: string): Promise<'removed' | 'damaged'> {
  for await (const _ of occurrences(file, Buffer.from(tagNames.commit, 'latin1'), 0)) {
    await rename(path, path + damagedSuffix);
    return 'damaged';
  }
  await unlink(path);
  return 'removed';
}

async function* occurrences(file: FileHandle, wanted: Uint8Array, from: number): AsyncGenerator<number> {
  const buffer = Buffer.allocUnsafe(searchBytes);
  for (let at = from; ; ) {
    const { bytesRead } = await file.read(buffer, 0, searchBytes, at);
    const view = buffer.subarray(0, bytesRead);
    for (let hit = view.indexOf(wanted); hit !== -1; hit = view.indexOf(wanted, hit + 1)) yield at + hit;
    if (bytesRead < wanted.byteLength) return;
    // What is wanted may lie across two reads.
    at += bytesRead - wanted.byteLength + 1;
  }
}

async function recoverableFiles({ directory, files }: RecoverOptions): Promise<string[]> {
  const found: string[] = [];
  for (const stream of await readdir(directory, { withFileTypes: true })) {
    if (!stream.isDirectory()) continue;
    for (const name of await readdir(join(directory, stream.name))) {
      const isWanted = name.endsWith(abandonedSuffix) || (files === 'all' && name.endsWith(segmentSuffix));
      if (isWanted) found.push(join(directory, stream.name, name));
    }
  }
  return found.sort();
}

/** Removes what is left of a dead epoch; damaged files keep theirs. */
async function removeIfEmpty(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true });
  let isEmpty = true;
  for (const entry of entries) {
    if (entry.isDirectory()) isEmpty = (await removeDirectory(join(directory, entry.name))) && isEmpty;
    else if (!isOwnerFile(entry.name)) isEmpty = false;
  }
  if (!isEmpty) return;
  for (const entry of entries) if (isOwnerFile(entry.name)) await unlink(join(directory, entry.name));
  await removeDirectory(directory);
}

async function removeDirectory(path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOTEMPTY') return false;
    throw error;
  }
}

async function openForUpdate(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (cause) {
    throw toAppError(cause);
  }
}

function undefinedIfDamaged(error: unknown): undefined {
  if (isAppError(error, 'data_loss')) return undefined;
  throw error;
}
