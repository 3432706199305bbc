/** Units of a Matroska cluster of ours: what the journal holds of an open fragment, and what is played of recorded ones. */

import { open } from 'node:fs/promises';
import { audioFrameDurationUs, readCluster } from '../../storage/media/index.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Track } from '../../storage/model/track.ts';

export type ClusterUnit = {
  readonly trackNumber: number;
  /** Milliseconds of the run's media time, whole but for laced sound. */
  readonly mediaMs: number;
  readonly isKey: boolean;
  /** A view of the cluster. */
  readonly bytes: Uint8Array;
};

/**
 * In the order of the file. Tracks that are not listed are left out.
 *
 * @param timecodeScaleNs  of the segment: 1,000,000 in our own
 * @throws AppError data_loss, invalid_argument  the bytes are no whole cluster
 */
export function unitsOf(cluster: Uint8Array, tracks: readonly Track[], timecodeScaleNs: number): ClusterUnit[] {
  const byNumber = new Map(tracks.map((track) => [track.number, track]));
  const { timecode, blocks } = readCluster(cluster);
  return blocks.flatMap(({ trackNumber, relative, isKey, laceIndex, begin, end }) => {
    const track = byNumber.get(trackNumber);
    if (track === undefined) return [];
    const bytes = cluster.subarray(begin, end);
    const laceMs = laceIndex === 0 ? 0 : (laceIndex * audioFrameDurationUs(track, bytes)) / 1000;
    const mediaMs = ((timecode + relative) * timecodeScaleNs) / 1_000_000 + laceMs;
    return [{ trackNumber, mediaMs, isKey: isKey || track.kind === 'audio', bytes }];
  });
}

/** The open fragment as a lane tells it: what lies in the file, then what was on its way there. Undefined when the file is gone. */
export async function readJoin(from: {
  readonly path: string;
  readonly clusterOffset: number;
  readonly joinOffset: number;
  readonly tail: Uint8Array;
}): Promise<Uint8Array | undefined> {
  const inFile = from.joinOffset - from.clusterOffset;
  if (inFile < 0 || inFile > limits.fragmentBytesMax) return undefined;
  try {
    const file = await open(from.path, 'r');
    try {
      const bytes = new Uint8Array(inFile + from.tail.length);
      let done = 0;
      while (done < inFile) {
        const { bytesRead } = await file.read(bytes, done, inFile - done, from.clusterOffset + done);
        if (bytesRead === 0) return undefined;
        done += bytesRead;
      }
      bytes.set(from.tail, inFile);
      return bytes;
    } finally {
      await file.close();
    }
  } catch {
    // Finished and renamed in this moment, or a disk that fails: the lane goes on with the next key frame.
    return undefined;
  }
}
