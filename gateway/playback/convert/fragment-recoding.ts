/**
 * What goes into the child that converts a fragment, and what comes out of it. In goes the video alone, as Matroska with the
 * times of its pictures; out comes Matroska again, whose pictures get back the very times they had. Sound passes by. Pure.
 */

import { appError } from '../../../storage/base/errors.ts';
import {
  audioFrameDurationUs,
  clusterHead,
  forEachNal,
  h265NalType,
  joinNals,
  MatroskaReader,
  matroskaHead,
  parameterSetsOf,
  readCluster,
  simpleBlockHeadBytesMax,
  writeSimpleBlockHead,
} from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { PlayableSegment } from '../fragment-source.ts';
import { hasParameterSets, withParameterSets } from '../parameter-sets.ts';

/** A fragment's video as a child reads it. */
export type RecodingInput = {
  readonly matroska: Uint8Array;
  /** From where on pictures are wanted, milliseconds of the child's timeline: what lies before is there for decoding only. */
  readonly beginMs: number;
  /** By the child's time of each picture: its block's time in the stored cluster. */
  readonly relativeAt: ReadonlyMap<number, number>;
};

/** A picture of the converted video. */
export type RecodedPicture = { readonly relative: number; readonly isKey: boolean; readonly bytes: Uint8Array };

/** Leading pictures of H.265 that may refer to what came before their key frame (table 7-1: RASL). */
const skippedLeadingTypes: readonly number[] = [8, 9];
/** A block's time is a signed number of 16 bits. */
const relativeMax = 0x7fff;
const noUid = new Uint8Array(16);

/** True when pictures of a fragment cannot be decoded from it alone: an open group of pictures. */
export function refersBack(cluster: Uint8Array, trackNumber: number): boolean {
  let isFound = false;
  let seen = 0;
  for (const block of readCluster(cluster).blocks) {
    if (block.trackNumber !== trackNumber) continue;
    // Leading pictures follow their key frame at once.
    if (seen++ > 16) break;
    forEachNal(cluster.subarray(block.begin, block.end), (bytes, begin) => {
      isFound ||= skippedLeadingTypes.includes(h265NalType(bytes[begin] ?? 0));
    });
  }
  return isFound;
}

/**
 * Makes the input of a child.
 *
 * @param clusters  the fragment's, behind those of the fragments that its decoding needs
 * @throws AppError data_loss  no picture is in it, or it is damaged
 */
export function recodingInput(
  clusters: readonly Uint8Array[],
  { track, timecodeScaleNs }: { readonly track: Track; readonly timecodeScaleNs: number },
): RecodingInput {
  const pictures = clusters.flatMap((cluster, clusterIndex) => {
    const { timecode, blocks } = readCluster(cluster);
    return blocks
      .filter(({ trackNumber }) => trackNumber === track.number)
      .map(({ relative, isKey, begin, end }) => ({
        ...{ clusterIndex, relative, isKey, bytes: cluster.subarray(begin, end) },
        timeMs: ((timecode + relative) * timecodeScaleNs) / 1_000_000,
      }));
  });
  const inOrder = pictures.toSorted((a, b) => a.timeMs - b.timeMs);
  const firstMs = inOrder[0]?.timeMs;
  if (firstMs === undefined) throw appError('data_loss', 'the fragment has no picture');
  const atMs = new Map<(typeof pictures)[number], number>();
  const relativeAt = new Map<number, number>();
  let previousMs = -1;
  let beginMs: number | undefined;
  for (const picture of inOrder) {
    // Encoders want each picture later than the one before; two of one millisecond get their own times back.
    previousMs = Math.max(previousMs + 1, Math.round(picture.timeMs - firstMs));
    atMs.set(picture, previousMs);
    if (picture.clusterIndex < clusters.length - 1) continue;
    beginMs ??= previousMs;
    relativeAt.set(previousMs, picture.relative);
  }
  if (beginMs === undefined) throw appError('data_loss', 'the fragment has no picture');
  const blocks = pictures.map((picture) => ({ ...picture, trackNumber: track.number, atMs: atMs.get(picture) ?? 0 }));
  const head = matroskaHead({ segmentUid: noUid, tracks: [track], timecodeScaleNs: 1_000_000 });
  const parts = clusters.map((_, at) => clusterOf(blocks.filter(({ clusterIndex }) => clusterIndex === at)));
  return { matroska: Buffer.concat([head, ...parts]), beginMs, relativeAt };
}

/**
 * Reads what a child wrote. The first picture brings the parameter sets of its encoder.
 *
 * @throws AppError data_loss  it is no Matroska of H.264, or has no picture that was asked for
 */
export function recodedPictures(
  matroska: Uint8Array,
  { relativeAt }: Pick<RecodingInput, 'relativeAt'>,
): RecodedPicture[] {
  const { track, frames } = readVideo(matroska);
  const pictures = frames.flatMap(({ atMs, isKey, bytes }) => {
    const relative = relativeAt.get(atMs);
    return relative === undefined ? [] : [{ relative, isKey, bytes }];
  });
  const [first, ...rest] = pictures;
  if (first === undefined || !first.isKey) throw appError('data_loss', 'no picture came out of the conversion');
  // What the first pictures showed is lost where decoding could begin only later; playback goes on without a hole.
  const relative = Math.min(...relativeAt.values());
  const bytes = hasParameterSets('h264', first.bytes)
    ? first.bytes
    : withParameterSets('h264', first.bytes, joinNals(parameterSetsOf(track)));
  return [{ ...first, relative, bytes }, ...rest];
}

/** Track and pictures of a Matroska file with one H.264 track; copies. @throws AppError data_loss */
export function readVideo(matroska: Uint8Array): {
  readonly track: Track;
  readonly frames: readonly { readonly atMs: number; readonly isKey: boolean; readonly bytes: Uint8Array }[];
} {
  const tracks: Track[] = [];
  const frames: { atMs: number; isKey: boolean; bytes: Uint8Array }[] = [];
  const reader = new MatroskaReader({
    sink: {
      head: (head) => void tracks.push(...head.tracks),
      frame: ({ timecode, relative, isKey, bytes }) =>
        void frames.push({ atMs: timecode + relative, isKey, bytes: Uint8Array.from(bytes) }),
      clusterBegin() {},
      clusterBytes() {},
      clusterEnd() {},
      tags() {},
    },
  });
  reader.push(matroska);
  reader.end();
  const [track] = tracks;
  if (track === undefined || track.codec !== 'h264') throw appError('data_loss', 'the conversion made no H.264');
  return { track, frames };
}

/** A stored cluster with other pictures: its sound and its times stay. @param trackNumber  of the video */
export function withPictures(
  cluster: Uint8Array,
  { trackNumber, segment }: { readonly trackNumber: number; readonly segment: PlayableSegment },
  pictures: readonly RecodedPicture[],
): Uint8Array {
  const { timecode, blocks } = readCluster(cluster);
  const trackOf = new Map(segment.tracks.map((track) => [track.number, track]));
  const others = blocks.flatMap((block) => {
    const track = trackOf.get(block.trackNumber);
    if (track === undefined || block.trackNumber === trackNumber) return [];
    const bytes = cluster.subarray(block.begin, block.end);
    // Frames of one lace share a time; blocks of their own have their own.
    const laceUs = block.laceIndex === 0 ? 0 : block.laceIndex * audioFrameDurationUs(track, bytes);
    const relative = Math.min(relativeMax, block.relative + Math.round((laceUs * 1000) / segment.timecodeScaleNs));
    return [{ ...block, bytes, atMs: timecode + relative }];
  });
  const recoded = pictures.map((picture) => ({ ...picture, trackNumber, atMs: timecode + picture.relative }));
  return clusterOf([...recoded, ...others], timecode);
}

/** Where in the stored cluster the fragment's first picture lies; 0 for one without any. */
export function firstRelative(cluster: Uint8Array, trackNumber: number): number {
  const relatives = readCluster(cluster)
    .blocks.filter((block) => block.trackNumber === trackNumber)
    .map(({ relative }) => relative);
  return relatives.length === 0 ? 0 : Math.min(...relatives);
}

/** The segment with H.264 in place of its video. */
export function recodedSegment(segment: PlayableSegment, from: Track, to: Track): PlayableSegment {
  const track = { ...to, number: from.number };
  return { ...segment, tracks: segment.tracks.map((other) => (other === from ? track : other)) };
}

function clusterOf(
  blocks: readonly {
    readonly trackNumber: number;
    readonly atMs: number;
    readonly isKey: boolean;
    readonly bytes: Uint8Array;
  }[],
  timecode = blocks.reduce((ms, { atMs }) => Math.min(ms, atMs), Number.MAX_SAFE_INTEGER),
): Uint8Array {
  const parts = blocks.flatMap(({ trackNumber, atMs, isKey, bytes }) => {
    const head = new Uint8Array(simpleBlockHeadBytesMax);
    const relativeMs = atMs - timecode;
    const length = writeSimpleBlockHead(head, 0, { trackNumber, relativeMs, payloadBytes: bytes.length, isKey });
    return [head.subarray(0, length), bytes];
  });
  return Buffer.concat([clusterHead(timecode === Number.MAX_SAFE_INTEGER ? 0 : timecode), ...parts]);
}
