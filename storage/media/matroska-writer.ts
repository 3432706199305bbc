/**
 * The pieces a segment file is made of, each append-only: nothing that was written is ever patched, so the file is valid
 * wherever it ends. Flow: head, then (cluster head, SimpleBlocks, tags) again and again, then cues and tags.
 */

import { assert } from '../base/assert.ts';
import { ebmlIds, element, joinBytes, sizeBytes, stringElement, unsignedElement, writeSize } from './ebml.ts';
import { type TrackToWrite, trackEntry } from './matroska-tracks.ts';

/** One SimpleTag: a string or bytes under a name. */
export type MatroskaTag = { readonly name: string; readonly value: string | Uint8Array };

const segmentHeadUnknownSize = Uint8Array.of(0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
const clusterHeadUnknownSize = Uint8Array.of(0x1f, 0x43, 0xb6, 0x75, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
/** KVS writes the sizes of its Tags in 4 bytes, and so do we. */
const tagSizeBytes = 4;
const application = 'Weir';

/**
 * EBML head, Segment of unknown size, Info, Tracks and, when there are any, Tags: everything before the first cluster.
 *
 * @param options.segmentUid       16 bytes
 * @param options.timecodeScaleNs  nanoseconds of one unit of all timecodes; 1,000,000 makes them milliseconds
 */
export function matroskaHead(options: {
  readonly segmentUid: Uint8Array;
  readonly tracks: readonly TrackToWrite[];
  readonly timecodeScaleNs: number;
  readonly tags?: readonly MatroskaTag[];
}): Uint8Array {
  const { segmentUid, tracks, timecodeScaleNs, tags = [] } = options;
  assert(segmentUid.length === 16, 'a segment uid has 16 bytes');
  const info = element(ebmlIds.info, [
    element(ebmlIds.segmentUid, [segmentUid]),
    unsignedElement(ebmlIds.timecodeScale, timecodeScaleNs),
    stringElement(ebmlIds.muxingApp, application),
    stringElement(ebmlIds.writingApp, application),
  ]);
  const parts = [ebmlHead(), segmentHeadUnknownSize, info, element(ebmlIds.tracks, tracks.map(trackEntry))];
  if (tags.length > 0) parts.push(tagsElement(tags));
  return joinBytes(parts);
}

/** Cluster of unknown size with its Timecode in 8 bytes: `clusterHeadBytes` long, whatever the time. */
export function clusterHead(timecodeMs: number): Uint8Array {
  assert(Number.isSafeInteger(timecodeMs) && timecodeMs >= 0, 'a cluster timecode is a whole number of 0 or more');
  const bytes = new Uint8Array(clusterHeadBytes);
  bytes.set(clusterHeadUnknownSize);
  bytes[12] = ebmlIds.timecode;
  bytes[13] = 0x88;
  const view = new DataView(bytes.buffer);
  view.setUint32(14, Math.floor(timecodeMs / 2 ** 32));
  view.setUint32(18, timecodeMs % 2 ** 32);
  return bytes;
}

export const clusterHeadBytes = 22;

/** Id, size of up to 4 bytes, track number of up to 2, relative time, flags. */
export const simpleBlockHeadBytesMax = 10;
/** What a size of 4 bytes holds, less the block's own head. */
const blockPayloadBytesMax = 2 ** 28 - 16;
const trackNumberMax = 2 ** 14 - 2;

/**
 * Writes the head of a SimpleBlock, after which its payload follows. Allocates nothing.
 *
 * @param at          where to begin in `target`, which must have `simpleBlockHeadBytesMax` bytes left
 * @param relativeMs  time from the cluster's timecode, whole, -32768 .. 32767
 * @returns           bytes written
 */
export function writeSimpleBlockHead(
  target: Uint8Array,
  at: number,
  block: {
    readonly trackNumber: number;
    readonly relativeMs: number;
    readonly payloadBytes: number;
    readonly isKey: boolean;
  },
): number {
  const { trackNumber, relativeMs, payloadBytes } = block;
  assert(Number.isInteger(relativeMs) && relativeMs >= -0x8000 && relativeMs <= 0x7fff, 'block time fits 16 bits');
  assert(trackNumber >= 1 && trackNumber <= trackNumberMax, 'track number fits two bytes');
  assert(payloadBytes >= 0 && payloadBytes <= blockPayloadBytesMax, 'payload fits a block');
  const trackBytes = sizeBytes(trackNumber);
  const size = trackBytes + 3 + payloadBytes;
  target[at] = ebmlIds.simpleBlock;
  let end = writeSize(target, at + 1, size, sizeBytes(size));
  end = writeSize(target, end, trackNumber, trackBytes);
  target[end] = (relativeMs >> 8) & 0xff;
  target[end + 1] = relativeMs & 0xff;
  target[end + 2] = block.isKey ? 0x80 : 0;
  return end + 3 - at;
}

/** Tags with one Tag for the whole segment, holding one SimpleTag for each of `tags`. */
export function tagsElement(tags: readonly MatroskaTag[]): Uint8Array {
  return tagsWith([element(ebmlIds.targets, [])], tags);
}

/** As KVS writes Tags: without Targets, as tags of the fragment beside which they stand. */
export function untargetedTags(tags: readonly MatroskaTag[]): Uint8Array {
  return tagsWith([], tags);
}

function tagsWith(targets: readonly Uint8Array[], tags: readonly MatroskaTag[]): Uint8Array {
  const simpleTags = tags.map(({ name, value }) => {
    const content =
      typeof value === 'string' ? stringElement(ebmlIds.tagString, value) : element(ebmlIds.tagBinary, [value]);
    return element(ebmlIds.simpleTag, [stringElement(ebmlIds.tagName, name), content], tagSizeBytes);
  });
  const tag = element(ebmlIds.tag, [...targets, ...simpleTags], tagSizeBytes);
  return element(ebmlIds.tags, [tag], tagSizeBytes);
}

/** Cues for seeking. `clusterOffset` counts from the first byte after the Segment's size (`segmentDataBegin` of the head). */
export function cuesElement(
  cues: readonly { readonly timecodeMs: number; readonly trackNumber: number; readonly clusterOffset: number }[],
): Uint8Array {
  const points = cues.map(({ timecodeMs, trackNumber, clusterOffset }) =>
    element(ebmlIds.cuePoint, [
      unsignedElement(ebmlIds.cueTime, timecodeMs),
      element(ebmlIds.cueTrackPositions, [
        unsignedElement(ebmlIds.cueTrack, trackNumber),
        unsignedElement(ebmlIds.cueClusterPosition, clusterOffset),
      ]),
    ]),
  );
  return element(ebmlIds.cues, points);
}

/** Where the Segment's children begin in a file that begins with `matroskaHead`: what `clusterOffset` of cues counts from. */
export function segmentDataBegin(): number {
  return ebmlHead().length + segmentHeadUnknownSize.length;
}

function ebmlHead(): Uint8Array {
  return element(ebmlIds.ebml, [
    unsignedElement(ebmlIds.ebmlVersion, 1),
    unsignedElement(ebmlIds.ebmlReadVersion, 1),
    unsignedElement(ebmlIds.ebmlIdLengthMax, 4),
    unsignedElement(ebmlIds.ebmlSizeLengthMax, 8),
    stringElement(ebmlIds.docType, 'matroska'),
    // Version 4 for SeekPreRoll of Opus; version 2 reads all else (SimpleBlock).
    unsignedElement(ebmlIds.docTypeVersion, 4),
    unsignedElement(ebmlIds.docTypeReadVersion, 2),
  ]);
}
