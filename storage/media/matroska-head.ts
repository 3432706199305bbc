/** What stands before the first cluster, and Tags wherever they stand, read from bytes in memory. */

import { appError } from '../base/errors.ts';
import { ElementCursor, ebmlIds } from './ebml.ts';
import { type MatroskaTrack, parseTracks } from './matroska-tracks.ts';
import type { MatroskaTag } from './matroska-writer.ts';

/** Tags of one Tags element, and where it lies. */
export type TagsAt = {
  readonly begin: number;
  readonly end: number;
  readonly tags: readonly MatroskaTag[];
  /** It says what its tags are about. Muxers do; KVS producers, whose tags are about the next fragment, do not. */
  readonly isTargeted: boolean;
};

export type MatroskaHead = {
  readonly tracks: readonly MatroskaTrack[];
  readonly timecodeScaleNs: number;
  /** 16 bytes, or empty when the file has none. */
  readonly segmentUid: Uint8Array;
  /** All tags before the first cluster, in order. */
  readonly tags: readonly MatroskaTag[];
  /** The same by element: offsets from the beginning of the head, so that a Tags element can be cut out of it. */
  readonly tagElements: readonly TagsAt[];
  /** Where the Segment's children begin: cue positions count from here. */
  readonly segmentDataBegin: number;
  /** Where the first cluster begins. */
  readonly byteLength: number;
};

const timecodeScaleNsDefault = 1_000_000;
const timecodeScaleNsMax = 3_600_000_000_000;
const docTypes = ['matroska', 'webm'];

/**
 * Reads the head of a file. It ends at the first cluster, or where the bytes end.
 *
 * @param bytes  from the first byte of the file; may go on after the head
 * @throws AppError invalid_argument  no Matroska, no or two Tracks, or values that cannot be
 * @throws AppError data_loss         an element before the first cluster is cut off
 */
export function readMatroskaHead(bytes: Uint8Array): MatroskaHead {
  const top = new ElementCursor(bytes);
  if (!top.next() || top.id !== ebmlIds.ebml) throw appError('invalid_argument', 'not a matroska file');
  checkEbmlHead(top);
  const segment = new ElementCursor(bytes, top.end);
  // Some muxers leave room between the two.
  while (segment.nextCut() && segment.id === ebmlIds.void);
  if (segment.id !== ebmlIds.segment) throw appError('invalid_argument', 'file has no segment');
  const found = newFields();
  const child = segment.children();
  while (child.nextCut() && child.id !== ebmlIds.cluster) {
    if (child.isCut) throw appError('data_loss', 'file head is cut off', { at: child.begin });
    takeHeadElement(found, child);
  }
  const byteLength = child.id === ebmlIds.cluster ? child.begin : child.end;
  return finishHead(found, { segmentDataBegin: segment.bodyBegin, byteLength });
}

/**
 * Reads a Tags element: names with string or binary values (views), of all Tag elements in it, whatever they target.
 *
 * @param bytes  from the first byte of the Tags element
 * @throws AppError invalid_argument  no Tags element
 * @throws AppError data_loss         it is cut off
 */
export function readTags(bytes: Uint8Array): readonly MatroskaTag[] {
  const cursor = new ElementCursor(bytes);
  if (!cursor.next() || cursor.id !== ebmlIds.tags) throw appError('invalid_argument', 'not a tags element');
  return tagsOf(cursor);
}

/** True when a Tag below a Tags element on which the cursor stands has Targets, be they empty. */
export function isTargetedTags(tags: ElementCursor): boolean {
  for (const tag = tags.children(); tag.next(); ) {
    if (tag.id !== ebmlIds.tag) continue;
    for (const child = tag.children(); child.next(); ) if (child.id === ebmlIds.targets) return true;
  }
  return false;
}

/** The tags below a Tags element on which the cursor stands; SimpleTags inside SimpleTags are left out. */
export function tagsOf(tags: ElementCursor): MatroskaTag[] {
  const result: MatroskaTag[] = [];
  for (const tag = tags.children(); tag.next(); ) {
    if (tag.id !== ebmlIds.tag) continue;
    for (const simple = tag.children(); simple.next(); ) {
      if (simple.id === ebmlIds.simpleTag) result.push(simpleTagOf(simple));
    }
  }
  return result;
}

/** Refuses what is no Matroska, and documents that need a newer reader. @throws AppError invalid_argument */
export function checkEbmlHead(head: ElementCursor): void {
  let docType = 'matroska';
  for (const child = head.children(); child.next(); ) {
    if (child.id === ebmlIds.docType) docType = child.string();
    const isTooLong = child.id === ebmlIds.ebmlIdLengthMax || child.id === ebmlIds.ebmlSizeLengthMax;
    if (isTooLong && child.unsigned() > 8) throw appError('invalid_argument', 'ebml ids or sizes are too long');
  }
  if (!docTypes.includes(docType)) throw appError('invalid_argument', 'document type is not matroska', { docType });
}

/** What was found of a head so far. */
export type HeadFields = {
  tracks: readonly MatroskaTrack[] | undefined;
  timecodeScaleNs: number;
  segmentUid: Uint8Array;
  readonly tagElements: TagsAt[];
};

export function newFields(): HeadFields {
  return {
    tracks: undefined,
    timecodeScaleNs: timecodeScaleNsDefault,
    segmentUid: new Uint8Array(0),
    tagElements: [],
  };
}

/**
 * Takes a child of the Segment into account; values are copied.
 *
 * @param offset  where the cursor's bytes begin in the head, for the offsets of tags
 */
export function takeHeadElement(found: HeadFields, child: ElementCursor, offset = 0): void {
  if (child.id === ebmlIds.info) takeInfo(found, child);
  else if (child.id === ebmlIds.tags) {
    const tags = tagsOf(child).map(({ name, value }) => ({
      name,
      value: typeof value === 'string' ? value : new Uint8Array(value),
    }));
    const isTargeted = isTargetedTags(child);
    found.tagElements.push({ begin: offset + child.begin, end: offset + child.end, tags, isTargeted });
  } else if (child.id === ebmlIds.tracks) {
    if (found.tracks !== undefined) throw appError('invalid_argument', 'file has two track lists', { at: child.begin });
    found.tracks = parseTracks(child);
  }
}

/** @throws AppError invalid_argument  no tracks were found */
export function finishHead(
  found: HeadFields,
  offsets: { readonly segmentDataBegin: number; readonly byteLength: number },
): MatroskaHead {
  if (found.tracks === undefined || found.tracks.length === 0) {
    throw appError('invalid_argument', 'no tracks before the first cluster');
  }
  const { tracks, timecodeScaleNs, segmentUid, tagElements } = found;
  return {
    tracks,
    timecodeScaleNs,
    segmentUid,
    tagElements,
    tags: tagElements.flatMap(({ tags }) => tags),
    ...offsets,
  };
}

function takeInfo(found: HeadFields, info: ElementCursor): void {
  for (const child = info.children(); child.next(); ) {
    if (child.id === ebmlIds.segmentUid) found.segmentUid = new Uint8Array(child.body().subarray(0, 16));
    if (child.id === ebmlIds.timecodeScale) found.timecodeScaleNs = child.unsigned();
  }
  const { timecodeScaleNs } = found;
  if (timecodeScaleNs < 1 || timecodeScaleNs > timecodeScaleNsMax) {
    throw appError('invalid_argument', 'timecode scale is absurd', { timecodeScaleNs });
  }
}

function simpleTagOf(simple: ElementCursor): MatroskaTag {
  let name = '';
  let value: string | Uint8Array = '';
  for (const child = simple.children(); child.next(); ) {
    if (child.id === ebmlIds.tagName) name = child.string();
    else if (child.id === ebmlIds.tagString) value = child.string();
    else if (child.id === ebmlIds.tagBinary) value = child.body();
  }
  return { name, value };
}
