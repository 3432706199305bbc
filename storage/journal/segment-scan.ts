/**
 * Finds committed fragments by walking a segment file from cluster to commit record, without its table: open files of a living
 * writer, torn ones of a dead one. A fragment exists when a commit record follows its cluster and names exactly its place
 * and length; whatever comes after the last such record is not there for readers.
 */

import { type FileHandle, open } from 'node:fs/promises';
import { appError, isAppError } from '../base/errors.ts';
import { ebmlIds, readMatroskaHead, readTags } from '../media/index.ts';
import type { Fragment, FragmentTags } from '../model/fragment.ts';
import { limits } from '../model/limits.ts';
import type { SegmentHead } from '../model/segment.ts';
import { FileWindow, isTopLevel } from './ebml.ts';
import { parseCommit } from './fragment-record.ts';
import { parseSegmentFacts } from './segment-record.ts';

/** Names of our tags. */
export const tagNames = {
  segment: 'WEIR_SEGMENT',
  producerHead: 'WEIR_PRODUCER_HEAD',
  fragment: 'WEIR_FRAGMENT',
  commit: 'WEIR_COMMIT',
  table: 'WEIR_TABLE',
} as const;

/** A segment's head with the bytes it was read from: the digest begins with them. */
export type SegmentHeadBytes = { readonly head: SegmentHead; readonly bytes: Uint8Array };

export type SegmentScan = {
  readonly fragments: readonly Fragment[];
  /** Where the last commit record ends: scanning goes on here. */
  readonly committedBytes: number;
  readonly fileBytes: number;
  /** Cues or table begin behind the last commit: the writer adds no more fragments. */
  readonly isEnded: boolean;
};

/**
 * The head of a segment file, finished or open.
 *
 * @throws AppError not_found  no such file
 * @throws AppError data_loss  the head is not complete, or not ours
 */
export async function readSegmentHead(path: string): Promise<SegmentHead> {
  return withFile(path, async (file) => (await readHeadBytes(file)).head);
}

/**
 * What stands before every cluster of a run when one of its fragments is read alone: the producer's own header, byte for byte, or
 * where there is none ours without our tags. The same for all segments of the run.
 *
 * @param bytes  a segment's first bytes
 * @returns      a copy, or undefined when the bytes end before the head does
 * @throws AppError data_loss  the head is not ours
 */
export function runHeadOf(bytes: Uint8Array): Uint8Array | undefined {
  try {
    const { tags, tagElements } = readMatroskaHead(bytes);
    if (tags[0]?.name !== tagNames.segment) return undefined;
    const producerHead = tags.find((tag) => tag.name === tagNames.producerHead)?.value;
    // Our heads end with their Tags.
    return new Uint8Array(producerHead instanceof Uint8Array ? producerHead : bytes.subarray(0, tagElements[0]?.begin));
  } catch (cause) {
    if (isAppError(cause, 'data_loss')) return undefined;
    throw isAppError(cause, 'invalid_argument') ? appError('data_loss', 'segment head is damaged', { cause }) : cause;
  }
}

/**
 * Committed fragments of a segment file that somebody may still be writing.
 *
 * @param fromOffset  `committedBytes` of an earlier scan: only what came since is read; 0 begins behind the head
 * @throws AppError not_found  no such file
 * @throws AppError data_loss  the head is not complete, or not ours (only with `fromOffset` 0)
 */
export async function scanSegment(path: string, fromOffset = 0): Promise<SegmentScan> {
  return withFile(path, async (file) => {
    const begin = fromOffset === 0 ? (await readHeadBytes(file)).bytes.byteLength : fromOffset;
    return scanFile(file, begin);
  });
}

/** Opens a file for reading and closes it again; `not_found` is the caller's to handle. */
export async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await openForReading(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** As `scanSegment`, of an open file, from a known boundary. */
export async function scanFile(file: FileHandle, begin: number): Promise<SegmentScan> {
  const { size } = await file.stat();
  const window = new FileWindow(file, size);
  const fragments: Fragment[] = [];
  let committedBytes = begin;
  while (fragments.length < limits.segmentFragmentsMax) {
    const found = await readFragmentAt(window, committedBytes);
    if (found === undefined) break;
    fragments.push(found.fragment);
    committedBytes = found.end;
  }
  const next = await window.head(committedBytes);
  const isEnded = next?.id === ebmlIds.cues || next?.id === ebmlIds.tags;
  return { fragments, committedBytes, fileBytes: size, isEnded };
}

/** What a search that tries many places may still cost: a walk from each of them would take the square of a file's length. */
export type SearchCosts = { left: number };

/** Costs beside an element's head: reading elsewhere in the file, and taking commit tags apart. */
const bytesOfCost = 1024;
const tagsCost = 256;

/**
 * The fragment whose cluster begins at `at`, and where its commit tags end; undefined when it is not committed.
 *
 * @param costs  taken from; undefined too when they are used up
 */
export async function readFragmentAt(
  window: FileWindow,
  at: number,
  costs?: SearchCosts,
): Promise<{ fragment: Fragment; end: number } | undefined> {
  const clusterEnd = await findClusterEnd(window, at, costs);
  if (clusterEnd === undefined) return undefined;
  if (costs !== undefined) costs.left -= tagsCost + (clusterEnd - at) / bytesOfCost;
  const commit = await readCommitTags(window, { offset: at, byteLength: clusterEnd - at });
  return commit === undefined ? undefined : { fragment: commit.fragment, end: commit.end };
}

/** The head and its bytes. @throws AppError data_loss  not complete, or not ours */
export async function readHeadBytes(file: FileHandle): Promise<SegmentHeadBytes> {
  const { size } = await file.stat();
  const window = new FileWindow(file, Math.min(size, limits.segmentHeadBytesMax), 16 * 1024);
  const end = await findHeadEnd(window);
  const view = end === undefined ? undefined : await window.bytes(0, end);
  if (view === undefined) throw appError('data_loss', 'segment head is not complete', { fileBytes: size });
  const bytes = new Uint8Array(view);
  return { head: parseHead(bytes), bytes };
}

function parseHead(bytes: Uint8Array): SegmentHead {
  try {
    const { tracks, timecodeScaleNs, tags } = readMatroskaHead(bytes);
    const facts = tags.find((tag) => tag.name === tagNames.segment)?.value;
    if (!(facts instanceof Uint8Array)) throw appError('data_loss', 'segment head has no record of ours');
    const producerHead = tags.find((tag) => tag.name === tagNames.producerHead)?.value;
    return {
      ...parseSegmentFacts(facts),
      timecodeScaleNs,
      tracks,
      producerHead: producerHead instanceof Uint8Array ? producerHead : new Uint8Array(0),
    };
  } catch (cause) {
    if (isAppError(cause, 'invalid_argument')) throw appError('data_loss', 'segment head is damaged', { cause });
    throw cause;
  }
}

/** Our heads end with their Tags. */
async function findHeadEnd(window: FileWindow): Promise<number | undefined> {
  const ebml = await window.head(0);
  if (ebml?.id !== ebmlIds.ebml || ebml.size === undefined) return undefined;
  const segmentAt = ebml.headBytes + ebml.size;
  const segment = await window.head(segmentAt);
  if (segment?.id !== ebmlIds.segment) return undefined;
  for (let at = segmentAt + segment.headBytes; at < window.fileBytes; ) {
    const head = await window.head(at);
    if (head?.size === undefined) return undefined;
    at += head.headBytes + head.size;
    if (head.id === ebmlIds.tags) return at <= window.fileBytes ? at : undefined;
  }
  return undefined;
}

/** Where the cluster that begins at `at` ends; undefined when there is none or the file ends first. */
async function findClusterEnd(window: FileWindow, begin: number, costs?: SearchCosts): Promise<number | undefined> {
  const cluster = await window.head(begin);
  if (cluster?.id !== ebmlIds.cluster) return undefined;
  if (cluster.size !== undefined) return begin + cluster.headBytes + cluster.size;
  let at = begin + cluster.headBytes;
  for (;;) {
    const child = await window.head(at);
    if (child === undefined) return undefined;
    if (isTopLevel(child.id)) return at;
    // A child of unknown size (a BlockGroup of a careless producer) is walked into.
    const { headBytes, size = 0 } = child;
    at += headBytes + size;
    if (costs === undefined) continue;
    costs.left -= 1 + size / bytesOfCost;
    if (costs.left < 0) return undefined;
  }
}

type CommitTags = { readonly fragment: Fragment; readonly tags: FragmentTags; readonly end: number };

/** The commit record directly behind a cluster; undefined when there is none that fits the cluster's place. */
async function readCommitTags(
  window: FileWindow,
  cluster: Pick<Fragment, 'offset' | 'byteLength'>,
): Promise<CommitTags | undefined> {
  const begin = cluster.offset + cluster.byteLength;
  const head = await window.head(begin);
  if (head?.id !== ebmlIds.tags || head.size === undefined || head.size > limits.commitTagsBytesMax) return undefined;
  const element = await window.bytes(begin, head.headBytes + head.size);
  const commit = element === undefined ? undefined : parseCommitTags(element);
  if (commit?.fragment.offset !== cluster.offset || commit.fragment.byteLength !== cluster.byteLength) return undefined;
  return { ...commit, end: begin + head.headBytes + head.size };
}

/**
 * A Tags element as our writer makes it: number, commit record, then user tags.
 *
 * @returns  undefined when there is no valid commit record
 */
export function parseCommitTags(element: Uint8Array): Omit<CommitTags, 'end'> | undefined {
  try {
    const [number, record, ...others] = readTags(element);
    if (number?.name !== tagNames.fragment || record?.name !== tagNames.commit) return undefined;
    if (!(record.value instanceof Uint8Array)) return undefined;
    const fragment = parseCommit(record.value);
    if (fragment.number !== number.value) return undefined;
    const tags = others.flatMap(({ name, value }) => (typeof value === 'string' ? [{ name, value }] : []));
    return { fragment, tags };
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    throw appError(isMissing ? 'not_found' : 'unavailable', 'segment file cannot be opened', { path, cause });
  }
}
