/** Blocks of a cluster, in memory: SimpleBlock, BlockGroup and the three kinds of lacing (RFC 9559 5.1.3.5, 10). */

import { appError } from '../base/errors.ts';
import { ElementCursor, ebmlIds, unknownSize, vintLength, vintValue } from './ebml.ts';

/** One frame in a cluster, as offsets into the bytes it was read from. */
export type BlockFrame = {
  readonly trackNumber: number;
  /** Time from the cluster's timecode, in units of TimecodeScale, -32768 .. 32767. Frames of one lace share it. */
  readonly relative: number;
  readonly isKey: boolean;
  /** 0, or the place of the frame in its lace: its time is `laceIndex` frame durations later. */
  readonly laceIndex: number;
  /** BlockDuration, for the whole block, in units of TimecodeScale; undefined when it is not told. */
  readonly duration: number | undefined;
  readonly begin: number;
  readonly end: number;
};

/** One cluster in memory. */
export type ReadCluster = { readonly timecode: number; readonly blocks: readonly BlockFrame[] };

/**
 * Reads one whole cluster: views only, nothing is copied.
 *
 * @param cluster  from the first byte of the Cluster element to its end; a cluster of unknown size ends with the bytes
 * @throws AppError data_loss           it is cut off or has no timecode
 * @throws AppError invalid_argument    the bytes are no cluster
 */
export function readCluster(cluster: Uint8Array): ReadCluster {
  const cursor = new ElementCursor(cluster);
  if (!cursor.next() || cursor.id !== ebmlIds.cluster) throw appError('invalid_argument', 'not a matroska cluster');
  const blocks: BlockFrame[] = [];
  let timecode = -1;
  for (const child = cursor.children(); child.next(); ) {
    if (child.isUnknownSize)
      throw appError('invalid_argument', 'element in a cluster has no size', { at: child.begin });
    if (child.id === ebmlIds.timecode) timecode = child.unsigned();
    else if (child.id === ebmlIds.simpleBlock) readSimpleBlock(child, blocks);
    else if (child.id === ebmlIds.blockGroup) readBlockGroup(child, blocks);
  }
  if (timecode < 0) throw appError('data_loss', 'cluster has no timecode');
  return { timecode, blocks };
}

/** Appends the frames of a SimpleBlock element. @throws AppError data_loss  it is cut off or laced wrongly */
export function readSimpleBlock(element: ElementCursor, target: BlockFrame[]): void {
  const { bytes, bodyBegin, end } = element;
  const flagsAt = bodyBegin + vintLength(bytes[bodyBegin] ?? 0) + 2;
  readBlockBody(bytes, bodyBegin, end, { isKey: ((bytes[flagsAt] ?? 0) & 0x80) !== 0, duration: undefined }, target);
}

/** Appends the frames of a BlockGroup element: key when it refers to no other block. @throws as `readSimpleBlock` */
export function readBlockGroup(element: ElementCursor, target: BlockFrame[]): void {
  let begin = -1;
  let end = -1;
  let isKey = true;
  let duration: number | undefined;
  for (const child = element.children(); child.next(); ) {
    if (child.id === ebmlIds.block) {
      begin = child.bodyBegin;
      end = child.end;
    } else if (child.id === ebmlIds.referenceBlock) isKey = false;
    else if (child.id === ebmlIds.blockDuration) duration = child.unsigned();
  }
  if (begin !== -1) readBlockBody(element.bytes, begin, end, { isKey, duration }, target);
}

function readBlockBody(
  bytes: Uint8Array,
  begin: number,
  end: number,
  told: { readonly isKey: boolean; readonly duration: number | undefined },
  target: BlockFrame[],
): void {
  const trackBytes = vintLength(bytes[begin] ?? 0);
  const at = begin + trackBytes;
  if (trackBytes > 4 || at + 3 > end) throw appError('data_loss', 'block is cut off', { at: begin });
  const trackNumber = vintValue(bytes, begin, trackBytes);
  if (trackNumber < 1) throw appError('invalid_argument', 'block has no track number', { at: begin });
  const relative = (((bytes[at] ?? 0) << 24) >> 16) | (bytes[at + 1] ?? 0);
  const lacing = ((bytes[at + 2] ?? 0) >> 1) & 3;
  const { isKey, duration } = told;
  if (lacing === 0) {
    target.push({ trackNumber, relative, isKey, laceIndex: 0, duration, begin: at + 3, end });
    return;
  }
  const { dataBegin, sizes } = readLace(bytes, at + 3, end, lacing);
  let frameBegin = dataBegin;
  for (const [laceIndex, size] of sizes.entries()) {
    target.push({ trackNumber, relative, isKey, laceIndex, duration, begin: frameBegin, end: frameBegin + size });
    frameBegin += size;
  }
}

const xiphLacing = 1;
const fixedLacing = 2;

/** Sizes of the frames in a lace, and where the first begins. The last one's size is what is left. */
function readLace(
  bytes: Uint8Array,
  begin: number,
  end: number,
  lacing: number,
): { dataBegin: number; sizes: number[] } {
  if (begin >= end) throw appError('data_loss', 'lace is cut off', { at: begin });
  const count = (bytes[begin] ?? 0) + 1;
  if (lacing === fixedLacing) {
    const size = (end - begin - 1) / count;
    if (!Number.isInteger(size)) throw appError('data_loss', 'lace has frames of unequal size', { at: begin });
    return { dataBegin: begin + 1, sizes: new Array<number>(count).fill(size) };
  }
  const sizes: number[] = [];
  let at = begin + 1;
  let sum = 0;
  while (sizes.length < count - 1) {
    let size = 0;
    if (lacing === xiphLacing) {
      for (; bytes[at] === 255 && at < end; at++) size += 255;
      size += bytes[at++] ?? 0;
    } else {
      const length = vintLength(bytes[at] ?? 0);
      if (length > 8 || at + length > end) throw appError('data_loss', 'lace is cut off', { at });
      const value = vintValue(bytes, at, length);
      const previous = sizes.at(-1);
      // EBML lacing codes the first size as it is and later ones as differences around the middle of the range.
      size = previous === undefined ? value : previous + value - (2 ** (7 * length - 1) - 1);
      at += length;
      if (value === unknownSize || size < 0) throw appError('data_loss', 'lace has a wrong size', { at });
    }
    sizes.push(size);
    sum += size;
    if (at + sum > end) throw appError('data_loss', 'lace runs past its block', { at: begin });
  }
  sizes.push(end - at - sum);
  return { dataBegin: at, sizes };
}
