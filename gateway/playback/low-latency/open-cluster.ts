/** The open fragment as a lane tells it when it is joined: what lies in the journal file, then what was on its way there. */

import { open } from 'node:fs/promises';
import { errnoOf } from '../../../storage/base/errors.ts';
import { limits } from '../../../storage/model/limits.ts';

export type OpenClusterPlace = {
  readonly path: string;
  readonly clusterOffset: number;
  readonly joinOffset: number;
  readonly tail: Uint8Array;
};

/** The cluster so far, or undefined when its file is not what it was: finished and renamed in this moment, or a failing disk. */
export async function readOpenCluster(place: OpenClusterPlace): Promise<Uint8Array | undefined> {
  const { path, clusterOffset, joinOffset, tail } = place;
  const inFile = joinOffset - clusterOffset;
  if (inFile === 0) return tail;
  if (inFile < 0 || inFile > limits.fragmentBytesMax) return undefined;
  try {
    await using file = await open(path, 'r');
    const bytes = new Uint8Array(inFile + tail.length);
    for (let done = 0; done < inFile; ) {
      const { bytesRead } = await file.read(bytes, done, inFile - done, clusterOffset + done);
      if (bytesRead === 0) return undefined;
      done += bytesRead;
    }
    bytes.set(tail, inFile);
    return bytes;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
