/**
 * Reads Matroska as it arrives, from any producer, in pieces of any size. Flow: socket -> MatroskaReader -> SegmentWriter and
 * hub. Bytes of clusters are handed on as they came, so that a caller can store them byte for byte; what is held back is one
 * block at most, never a cluster. The same bytes give the same calls, however they are split.
 *
 * Tolerated: known and unknown sizes of Segment and Cluster, BlockGroups, all lacing, Void, CRC-32, SeekHead, Cues, Attachments,
 * Chapters, unknown elements, Tags anywhere. Refused: a second document or Segment, Tracks after the first cluster (KVS 4006).
 */

import { assert } from '../base/assert.ts';
import { type AppError, appError, isAppError } from '../base/errors.ts';
import { limits } from '../model/limits.ts';
import { ElementCursor, ebmlIds, idValue, joinBytes, unknownSize, vintLength, vintValue } from './ebml.ts';
import { type BlockFrame, readBlockGroup, readSimpleBlock } from './matroska-block.ts';
import {
  checkEbmlHead,
  finishHead,
  type HeadFields,
  isTargetedTags,
  type MatroskaHead,
  newFields,
  type TagsAt,
  tagsOf,
  takeHeadElement,
} from './matroska-head.ts';
import type { MatroskaTag } from './matroska-writer.ts';

/** One frame of a cluster as it is read; `bytes` is borrowed until the call returns. */
export type MatroskaFrame = Omit<BlockFrame, 'begin' | 'end'> & {
  /** Timecode of its cluster; the frame's time is this plus `relative`, in units of TimecodeScale. */
  readonly timecode: number;
  readonly bytes: Uint8Array;
};

/**
 * What a reader calls, in the order of the bytes. All offsets count from the first byte ever pushed; all bytes are borrowed
 * until the call returns. What a call throws comes out of `push` or `end`, and ends the reader.
 */
export type MatroskaSink = {
  /** Once, at the first cluster or at the end: everything before it, and the bytes of it (a copy, which may be kept). */
  head(head: MatroskaHead, bytes: Uint8Array): void;
  /** A cluster's timecode is known. Bytes and frames that follow are of this cluster. */
  clusterBegin(cluster: { readonly offset: number; readonly timecode: number }): void;
  /** The cluster's next bytes, verbatim and without a gap, its own head included. */
  clusterBytes(bytes: Uint8Array): void;
  /** A frame, after the bytes of its block. Frames of one lace come one by one. */
  frame(frame: MatroskaFrame): void;
  /** The cluster is whole: it lies in [offset, end). */
  clusterEnd(cluster: { readonly offset: number; readonly end: number }): void;
  /** A Tags element after the first cluster began; earlier ones are in the head. */
  tags(tags: TagsAt): void;
};

export type MatroskaReaderOptions = {
  readonly headBytesMax?: number;
  readonly clusterBytesMax?: number;
  /** One block, or any other element inside a cluster. */
  readonly blockBytesMax?: number;
  readonly tagsBytesMax?: number;
};

/** A block's own bytes besides its frame: heads of BlockGroup and Block, lace sizes, side data. */
const blockOverheadBytesMax = 64 * 1024;
/** CRC-32, Void and the like between a cluster's head and its timecode. */
const clusterPreambleBytesMax = 64 * 1024;
/** A buffer that grew above this for a large key frame is given back after it. */
const heldBytesKept = 256 * 1024;

/** Elements that no cluster contains: in a cluster of unknown size, the first of them ends it. */
const endsCluster: ReadonlySet<number> = new Set([
  ebmlIds.ebml,
  ebmlIds.segment,
  ebmlIds.cluster,
  ebmlIds.tags,
  ebmlIds.cues,
  ebmlIds.seekHead,
  ebmlIds.info,
  ebmlIds.tracks,
  ebmlIds.chapters,
  ebmlIds.attachments,
]);

type Scope = 'document' | 'after-ebml' | 'head' | 'segment' | 'cluster';

export class MatroskaReader {
  readonly #sink: MatroskaSink;
  readonly #limits: Required<MatroskaReaderOptions>;
  #scope: Scope = 'document';
  #isDone = false;
  /** Offset of the first byte that is not consumed. */
  #offset = 0;
  /** Bytes of one element that is not whole yet; `#needed` are necessary to go on. */
  #held = new Uint8Array(0);
  #heldLength = 0;
  #needed = 0;
  /** Bytes still to be passed over. */
  #skip = 0;
  #segmentEnd = Number.POSITIVE_INFINITY;
  #segmentDataBegin = 0;
  readonly #fields: HeadFields = newFields();
  #headParts: Uint8Array[] = [];
  #clusterOffset = 0;
  #clusterEnd = Number.POSITIVE_INFINITY;
  #timecode = -1;
  #preamble: Uint8Array[] = [];

  /** @param options  bounds that differ from those of `limits.ts` */
  constructor({ sink }: { readonly sink: MatroskaSink }, options: MatroskaReaderOptions = {}) {
    this.#sink = sink;
    this.#limits = {
      headBytesMax: limits.matroskaHeadBytesMax,
      clusterBytesMax: limits.fragmentBytesMax,
      blockBytesMax: limits.accessUnitBytesMax + blockOverheadBytesMax,
      tagsBytesMax: limits.matroskaTagsBytesMax,
      ...options,
    };
  }

  /** Bytes consumed so far: offset of the next element. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Takes the next bytes, borrowed until return. After an error the reader is of no further use.
   *
   * @throws AppError invalid_argument    the bytes are no Matroska, or of a form that is refused
   * @throws AppError data_loss           an element runs past its parent, a block is broken
   * @throws AppError resource_exhausted  an element is larger than its limit; `what` says which
   */
  push(chunk: Uint8Array): void {
    assert(!this.#isDone, 'a reader that failed or ended gets no more bytes');
    this.#isDone = true;
    let at = 0;
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        this.#skip -= skipped;
        this.#offset += skipped;
        at += skipped;
      } else if (this.#heldLength === 0) {
        const taken = this.#take(chunk, at, chunk.length);
        if (taken === 0) this.#hold(chunk.subarray(at));
        at += taken === 0 ? chunk.length - at : taken;
      } else {
        const end = Math.min(chunk.length, at + this.#needed - this.#heldLength);
        this.#hold(chunk.subarray(at, end));
        at = end;
        if (this.#heldLength === this.#needed) this.#takeHeld();
      }
    }
    this.#isDone = false;
  }

  /**
   * Says that no more bytes come. A cluster of unknown size ends here.
   *
   * @throws AppError data_loss         the bytes end inside an element
   * @throws AppError invalid_argument  there was no Matroska head
   */
  end(): void {
    assert(!this.#isDone, 'a reader that failed or ended is not ended again');
    this.#isDone = true;
    const isInKnownCluster = this.#scope === 'cluster' && this.#clusterEnd !== Number.POSITIVE_INFINITY;
    if (this.#heldLength > 0 || this.#skip > 0 || isInKnownCluster) {
      throw appError('data_loss', 'stream ended inside an element', { byteOffset: this.#offset });
    }
    if (this.#scope === 'cluster') this.#endCluster();
    else if (this.#scope !== 'segment') this.#emitHead();
  }

  /** Consumes one element, or a master's head; 0 when `#needed` bytes are necessary for that. */
  #take(bytes: Uint8Array, at: number, end: number): number {
    const idLength = vintLength(bytes[at] ?? 0);
    if (idLength > 4) throw this.#invalid('element id is invalid');
    if (!this.#has(idLength + 1, end - at)) return 0;
    const sizeLength = vintLength(bytes[at + idLength] ?? 0);
    if (sizeLength > 8) throw this.#invalid('element size is invalid');
    const headLength = idLength + sizeLength;
    if (!this.#has(headLength, end - at)) return 0;
    const id = idValue(bytes, at, idLength);
    const size = vintValue(bytes, at + idLength, sizeLength);
    if (size > Number.MAX_SAFE_INTEGER) throw this.#invalid('element size is absurd', id);
    if (this.#scope === 'cluster') {
      const isEnd = this.#clusterEnd === Number.POSITIVE_INFINITY && endsCluster.has(id);
      if (!isEnd) return this.#takeClusterChild(bytes, at, { id, size, headLength, available: end - at });
      this.#endCluster();
    }
    return this.#takeOutside(bytes, at, { id, size, headLength, available: end - at });
  }

  /** An element of the document or of the Segment. */
  #takeOutside(bytes: Uint8Array, at: number, told: ElementHead): number {
    const { id, size, headLength } = told;
    if (this.#scope === 'document' && id !== ebmlIds.ebml) throw this.#invalid('not a matroska stream', id);
    if (this.#scope === 'after-ebml' && id === ebmlIds.segment) return this.#beginSegment(bytes, at, told);
    if (this.#scope !== 'document' && (id === ebmlIds.segment || id === ebmlIds.ebml)) {
      throw this.#invalid('stream has a second segment');
    }
    if (this.#scope === 'after-ebml' && id !== ebmlIds.void) throw this.#invalid('stream has no segment', id);
    if (this.#offset >= this.#segmentEnd) throw this.#invalid('stream goes on after its segment');
    if (id === ebmlIds.cluster) return this.#beginCluster(bytes, at, told);
    if (size === unknownSize) throw this.#invalid('element has no size', id);
    if (this.#offset + headLength + size > this.#segmentEnd) throw this.#pastParent(id, size);
    if (this.#scope !== 'segment') return this.#takeHeadElement(bytes, at, told);
    if (id === ebmlIds.tracks) throw this.#invalid('stream has tracks after its first cluster');
    if (id === ebmlIds.tags) return this.#takeTags(bytes, at, told);
    this.#skip = size;
    return this.#consumed(headLength);
  }

  #takeHeadElement(bytes: Uint8Array, at: number, { id, size, headLength, available }: ElementHead): number {
    const length = headLength + size;
    this.#bound('head', this.#offset + length, this.#limits.headBytesMax);
    if (!this.#has(length, available)) return 0;
    const part = new Uint8Array(bytes.subarray(at, at + length));
    const cursor = cursorOn(part, 0, length);
    try {
      if (id === ebmlIds.ebml) checkEbmlHead(cursor);
      else if (this.#scope === 'head') takeHeadElement(this.#fields, cursor, this.#offset);
    } catch (error) {
      throw this.#located(error);
    }
    if (id === ebmlIds.ebml) this.#scope = 'after-ebml';
    this.#headParts.push(part);
    return this.#consumed(length);
  }

  #beginSegment(bytes: Uint8Array, at: number, { size, headLength }: ElementHead): number {
    this.#headParts.push(new Uint8Array(bytes.subarray(at, at + headLength)));
    this.#segmentDataBegin = this.#offset + headLength;
    if (size !== unknownSize) this.#segmentEnd = this.#segmentDataBegin + size;
    this.#scope = 'head';
    return this.#consumed(headLength);
  }

  #takeTags(bytes: Uint8Array, at: number, { size, headLength, available }: ElementHead): number {
    const length = headLength + size;
    this.#bound('tags element', length, this.#limits.tagsBytesMax);
    if (!this.#has(length, available)) return 0;
    let tags: readonly MatroskaTag[];
    let isTargeted: boolean;
    try {
      tags = tagsOf(cursorOn(bytes, at, length));
      isTargeted = isTargetedTags(cursorOn(bytes, at, length));
    } catch (error) {
      throw this.#located(error);
    }
    this.#sink.tags({ begin: this.#offset, end: this.#offset + length, tags, isTargeted });
    return this.#consumed(length);
  }

  #beginCluster(bytes: Uint8Array, at: number, { id, size, headLength }: ElementHead): number {
    if (this.#scope === 'head') this.#emitHead();
    this.#scope = 'cluster';
    this.#timecode = -1;
    this.#clusterOffset = this.#offset;
    this.#clusterEnd = Number.POSITIVE_INFINITY;
    if (size !== unknownSize) {
      this.#bound('cluster', headLength + size, this.#limits.clusterBytesMax);
      this.#clusterEnd = this.#offset + headLength + size;
      if (this.#clusterEnd > this.#segmentEnd) throw this.#pastParent(id, size);
    }
    this.#preamble = [new Uint8Array(bytes.subarray(at, at + headLength))];
    this.#consumed(headLength);
    if (this.#offset === this.#clusterEnd) this.#endCluster();
    return headLength;
  }

  #takeClusterChild(bytes: Uint8Array, at: number, { id, size, headLength, available }: ElementHead): number {
    if (size === unknownSize || endsCluster.has(id)) throw this.#invalid('element has no place in a cluster', id);
    const length = headLength + size;
    const clusterLength = this.#offset + length - this.#clusterOffset;
    this.#bound('element in a cluster', length, this.#limits.blockBytesMax);
    this.#bound('cluster', clusterLength, this.#limits.clusterBytesMax);
    if (this.#offset + length > Math.min(this.#clusterEnd, this.#segmentEnd)) throw this.#pastParent(id, size);
    if (this.#timecode === -1) this.#bound('cluster head', clusterLength, clusterPreambleBytesMax);
    if (!this.#has(length, available)) return 0;
    const cursor = cursorOn(bytes, at, length);
    if (this.#timecode === -1) this.#takePreamble(cursor);
    else this.#handOn(cursor);
    this.#consumed(length);
    if (this.#offset === this.#clusterEnd) this.#endCluster();
    return length;
  }

  /** Elements up to the timecode are kept, so that `clusterBegin` can come before the cluster's bytes. */
  #takePreamble(child: ElementCursor): void {
    if (child.id === ebmlIds.simpleBlock || child.id === ebmlIds.blockGroup) {
      throw this.#invalid('cluster has a block before its timecode');
    }
    this.#preamble.push(new Uint8Array(child.bytes.subarray(child.begin, child.end)));
    if (child.id !== ebmlIds.timecode) return;
    this.#timecode = this.#unsigned(child);
    this.#sink.clusterBegin({ offset: this.#clusterOffset, timecode: this.#timecode });
    this.#sink.clusterBytes(joinBytes(this.#preamble));
    this.#preamble = [];
  }

  #handOn(child: ElementCursor): void {
    if (child.id === ebmlIds.timecode) throw this.#invalid('cluster has two timecodes');
    const frames: BlockFrame[] = [];
    try {
      if (child.id === ebmlIds.simpleBlock) readSimpleBlock(child, frames);
      else if (child.id === ebmlIds.blockGroup) readBlockGroup(child, frames);
    } catch (error) {
      throw this.#located(error);
    }
    this.#sink.clusterBytes(child.bytes.subarray(child.begin, child.end));
    for (const { begin, end, ...frame } of frames) {
      this.#sink.frame({ ...frame, timecode: this.#timecode, bytes: child.bytes.subarray(begin, end) });
    }
  }

  #endCluster(): void {
    if (this.#timecode === -1) throw this.#invalid('cluster has no timecode');
    this.#scope = 'segment';
    this.#sink.clusterEnd({ offset: this.#clusterOffset, end: this.#offset });
  }

  #emitHead(): void {
    const bytes = joinBytes(this.#headParts);
    this.#headParts = [];
    const offsets = { segmentDataBegin: this.#segmentDataBegin, byteLength: bytes.length };
    this.#sink.head(finishHead(this.#fields, offsets), bytes);
  }

  #has(needed: number, available: number): boolean {
    if (available >= needed) return true;
    this.#needed = needed;
    return false;
  }

  #consumed(length: number): number {
    this.#offset += length;
    return length;
  }

  #takeHeld(): void {
    const length = this.#heldLength;
    const taken = this.#take(this.#held, 0, length);
    if (taken === 0) return;
    assert(taken === length, 'held bytes are one element');
    this.#heldLength = 0;
    if (this.#held.length > heldBytesKept) this.#held = new Uint8Array(0);
  }

  /** Grows with the bytes that really came, not with the size that was declared. */
  #hold(bytes: Uint8Array): void {
    const length = this.#heldLength + bytes.length;
    if (length > this.#held.length) {
      const grown = new Uint8Array(Math.max(length, Math.min(this.#needed, 2 * this.#held.length)));
      grown.set(this.#held.subarray(0, this.#heldLength));
      this.#held = grown;
    }
    this.#held.set(bytes, this.#heldLength);
    this.#heldLength = length;
  }

  #bound(
    what: 'head' | 'tags element' | 'cluster' | 'cluster head' | 'element in a cluster',
    byteLength: number,
    bytesMax: number,
  ): void {
    if (byteLength <= bytesMax) return;
    const byteOffset = this.#offset;
    throw appError('resource_exhausted', `${what} is too large`, { what, byteOffset, byteLength, bytesMax });
  }

  #invalid(message: string, id?: number): AppError {
    const facts = { byteOffset: this.#offset, ...(id === undefined ? {} : { id: id.toString(16) }) };
    return appError('invalid_argument', message, facts);
  }

  #unsigned(child: ElementCursor): number {
    try {
      return child.unsigned();
    } catch (error) {
      throw this.#located(error);
    }
  }

  /** The error of a parser that knows its own bytes only, with the place of its element in the stream. */
  #located(error: unknown): unknown {
    if (!isAppError(error)) return error;
    const { at: _at, ...facts } = error.context;
    return appError(error.code, error.message, { ...facts, byteOffset: this.#offset, cause: error });
  }

  #pastParent(id: number, size: number): AppError {
    return appError('data_loss', 'element runs past its parent', {
      byteOffset: this.#offset,
      id: id.toString(16),
      size,
    });
  }
}

type ElementHead = {
  readonly id: number;
  readonly size: number;
  readonly headLength: number;
  /** Bytes of the element that are at hand, its head included. */
  readonly available: number;
};

/** A cursor on the one element that lies in these bytes. */
function cursorOn(bytes: Uint8Array, at: number, length: number): ElementCursor {
  const cursor = new ElementCursor(bytes, at, at + length);
  cursor.next();
  return cursor;
}
